"""The front's side of a worker: starts the process, sends it work, gives its events to whoever asked, and notices when it dies.

A process can be killed at any moment. Then every piece of work that it had ends with an error that says so, and none is lost without one.
At most so many pieces of work are with the process at a time; the others wait here, where giving up costs nothing.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil

from makar.data.record import WRITTEN
from makar.serving.problems import BROKEN, Problem

LOG = logging.getLogger("makar.serving")

TOGETHER, IN_TURN, ALONE = 64, 8, 1
"""Pieces of work that a process is given at a time: texts that share a running batch, texts that are asked in turn, and images."""

LONGEST_LINE = 1 << 28
"""Bytes of a line from a worker: one image, or one manifest."""

PATIENCE_SECONDS = 5.0
"""How long a worker may take to end by itself."""

Event = dict[str, Any]


def lost() -> Problem:
    """Return the error of work whose process died."""
    return Problem(
        "the process that held the model ended in the middle of this",
        status=503,
        code="worker_lost",
        do="ask again; it is started anew",
        kind=BROKEN,
    )


class Process:
    """One worker.

    Args:
        process: The running process.
        facts: What it said of its model.
    """

    def __init__(self, process: asyncio.subprocess.Process, facts: Event) -> None:
        self.facts = facts
        self.used_seconds = time.monotonic()
        """When it was used last, by the monotonic clock."""
        self._process = process
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Queue[Event]] = {}
        at_once = TOGETHER if facts["together"] else (IN_TURN if facts["medium"] in WRITTEN else ALONE)
        self._slots = asyncio.Semaphore(at_once)
        self._reader = asyncio.create_task(self._read())
        self.users = 0
        """Requests that have it, those that wait included."""

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None and not self._reader.done()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def busy(self) -> int:
        """Pieces of work that it has."""
        return len(self._waiting)

    def memory_bytes(self) -> int:
        """Return the memory that it takes; 0 when it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    async def do(self, ask: Event) -> AsyncGenerator[Event]:
        """Give it a piece of work and yield the events; whoever stops early cancels the work.

        Raises:
            Problem: The work failed, or the process died.
        """
        async with self._slots:
            name, events = str(next(self._numbers)), asyncio.Queue[Event]()
            if not self.is_alive:
                raise lost()
            self._waiting[name] = events
            self._send({**ask, "id": name})
            is_over = False
            try:
                while True:
                    line = await events.get()
                    is_over = "event" not in line
                    if "error" in line:
                        raise failed(line["error"])
                    if is_over:
                        return
                    yield line["event"]
            finally:
                self._waiting.pop(name, None)
                self.used_seconds = time.monotonic()
                if not is_over:
                    self._send({"cancel": name})

    def _send(self, line: Event) -> None:
        pipe = self._process.stdin
        # A pipe whose other end is gone says so to the reader, which ends all work.
        if pipe is not None and not pipe.is_closing():
            pipe.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for text in self._process.stdout:
                line = json.loads(text)
                events = self._waiting.get(line["id"])
                if events is not None:
                    events.put_nowait(line)
        except ValueError as error:
            LOG.warning("a worker said what cannot be read: %s", error)
        finally:
            # One that is no longer listened to is of no use to anybody.
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            for events in self._waiting.values():
                events.put_nowait({"error": None})

    async def ended(self) -> None:
        """Wait until it has died or was stopped."""
        await asyncio.wait([self._reader])

    async def stop(self) -> None:
        """Let it end, and end it when it does not."""
        await stop_process(self._process)
        await asyncio.wait([self._reader])


def failed(error: Event | None) -> Problem:
    """Return the error that a worker told; ``None`` is that it died."""
    if error is None:
        return lost()
    values = error["error"]
    return Problem(
        values["message"], status=error["status"], code=values["code"], param=values["param"], kind=values["type"]
    )


def own_environment() -> dict[str, str]:
    """Return the environment of a process that runs this package, wherever that lies."""
    package = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))}


async def spawn() -> asyncio.subprocess.Process:
    """Start a worker that has no model yet; it waits for the name of one, with everything imported, which is what takes long."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "makar.serving.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=own_environment(),
        limit=LONGEST_LINE,
    )


async def give_model(
    process: asyncio.subprocess.Process,
    model: str,
    options: dict[str, Any],
    *,
    engine: str,
    base_url: str | None = None,
) -> Process:
    """Give a worker its model and wait until it is loaded.

    Args:
        process: One that has none.
        model: As ``makar.load`` takes it.
        options: Controls that hold where a request says nothing.
        engine: What is to run it, of ``engines``.
        base_url: For a model behind an endpoint: its address.

    Raises:
        Problem: It cannot be loaded; the process has ended.
    """
    assert process.stdin is not None and process.stdout is not None
    asked = {"model": model, "options": options, "base_url": base_url, "engine": engine}
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    try:
        line = json.loads(await process.stdout.readline() or b'{"error": null}')
        if "error" in line:
            raise failed(line["error"])
    except BaseException:
        await stop_process(process)
        raise
    return Process(process, line["facts"])


async def stop_process(process: asyncio.subprocess.Process) -> None:
    """Close what a process reads, so that it ends; after a while kill it."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
