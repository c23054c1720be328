"""Verbs of the shell run in a process of their own, with their answer in JSON: what takes memory or may crash never does so in the front.

A client that goes ends the process. Words are given as a list and nothing is read by a shell.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from makar.serving.problems import BROKEN, INVALID, Problem
from makar.serving.process import own_environment

LONGEST_SAID = 1 << 28
PATIENCE_SECONDS = 10.0
LOCKED_CODES = {3: 404, 4: 501, 75: 503}
"""Exit codes of the shell and the statuses that say the same; any other failure is a request that cannot be done."""


async def answer_of(words: Sequence[str], *, may_fail: bool = False) -> Any:
    """Return what a verb says with ``--json``.

    Args:
        words: The words behind ``makar``; ``--json`` is put at the end where it is not among them.
        may_fail: Whether an exit code above 0 can come with an answer that is no error.

    Raises:
        Problem: The verb failed; the message is its own.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "makar", *words, *([] if "--json" in words else ["--json"])),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=own_environment(),
        limit=LONGEST_SAID,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            await _end(process)
    try:
        values = json.loads(said)
    except ValueError as error:
        raise Problem(
            f"makar {words[0]} ended with code {process.returncode} and said nothing that can be read",
            status=500,
            code="failed",
            do="run it in the shell to see why",
            kind=BROKEN,
        ) from error
    is_error = isinstance(values, dict) and "exit_code" in values and "came" in values
    if is_error or (process.returncode and not may_fail):
        raise _problem(values, process.returncode or 1)
    return values


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _problem(values: Any, code: int) -> Problem:
    said = values if isinstance(values, dict) else {}
    return Problem(
        str(said.get("came") or f"the verb ended with code {code}"),
        status=LOCKED_CODES.get(code, 400),
        code="refused",
        expected=str(said.get("expected") or ""),
        do=str(said.get("do") or ""),
        kind=INVALID,
    )
