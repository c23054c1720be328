"""A lock on a folder that only one process can hold, and that the kernel releases however that process ends.

``flock`` on a file whose text names the holder: a killed process leaves the file behind but not the lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from makar.errors import RunLockedError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Args:
        folder: The folder; its file ``lock`` is made when absent.

    Raises:
        RunLockedError: Another process holds it; the message names the process.
    """
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunLockedError(
                f"{folder} is being written by process {_holder(folder) or 'unknown'}",
                expected="one process a run",
                do="wait for it to end, or stop it with makar runs stop " + folder.name,
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_holder(folder: Path) -> int | None:
    """Return the process that holds the lock of a folder, ``None`` when nobody does."""
    if not (folder / "lock").exists():
        return None
    with (folder / "lock").open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _holder(folder)
    return None


def _holder(folder: Path) -> int | None:
    text = (folder / "lock").read_text(encoding="utf-8").strip()
    return int(text) if text.isdigit() else None
