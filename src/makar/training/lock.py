"""A lock on a folder that only one process can hold, and that the kernel releases however that process ends.

``flock`` on a file whose text names the holder: a killed process leaves the file behind but not the lock. Who only asks for the holder
takes a shared lock for a moment, so a process that finds the lock taken tries again for longer than such a moment.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from makar.errors import RunLockedError

PATIENCE_SECONDS = 0.25
WAIT_SECONDS = 0.01
UNKNOWN_PROCESS = 0
"""What ``lock_holder`` gives for a process that holds the lock and has not yet written its number."""


@contextmanager
def locked(folder: Path, *, stop: str = "") -> Iterator[None]:
    """Hold the lock of a folder.

    Args:
        folder: The folder; its file ``lock`` is made when absent.
        stop: What ends a process that holds it, where something does.

    Raises:
        RunLockedError: Another process holds it; the message names the process.
    """
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        if not _taken(file):
            raise RunLockedError(
                f"{folder} is being written by process {_holder(folder) or 'unknown'}",
                expected="one process at a time",
                do="wait for it to end" + (f", or stop it with {stop}" if stop else ""),
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_holder(folder: Path) -> int | None:
    """Return the process that holds the lock of a folder, ``None`` when nobody does; ``UNKNOWN_PROCESS`` while it is taking it."""
    if not (folder / "lock").exists():
        return None
    with (folder / "lock").open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _holder(folder) or UNKNOWN_PROCESS
    return None


def _taken(file: IO[str]) -> bool:
    """Take the lock of an open file, with the patience that it takes others to look who holds it; return whether it was free."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= end:
                return False
        time.sleep(WAIT_SECONDS)


def _holder(folder: Path) -> int | None:
    text = (folder / "lock").read_text(encoding="utf-8").strip()
    return int(text) if text.isdigit() else None
