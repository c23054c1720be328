"""One hash for everything below a source as the file system describes it, so that unchanged data is known without reading it.

Size, time of writing, time of the last change of any kind and inode of every file, and what is left out and why. The time of change
cannot be set back by a program, unlike the time of writing. A source with a file that was touched in the last seconds has no hash:
it could be changed again within the same tick of the clock (the "racy" entries of git's index).
"""

import hashlib
import os
import time
from pathlib import Path

from makar.data.entries import files

SETTLED_SECONDS = 3.0

FileState = tuple[int, int, int, int]
"""Size, time of writing, time of change, inode."""


def state_of(path: Path) -> FileState | None:
    """Return the state of one file, ``None`` when it was touched too recently or cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    touched = max(status.st_mtime, status.st_ctime)
    if touched > time.time() - SETTLED_SECONDS:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def listing(root: Path) -> str | None:
    """Return the hash of a folder, file or archive as it lies there; ``None`` when it may still be changing.

    Args:
        root: Where to look.
    """
    digest = hashlib.sha256(os.fsencode(root.absolute()) + b"\n")
    left_out: list[tuple[str, str]] = []
    for name, path in files(root, lambda source, reason: left_out.append((source, reason))):
        state = state_of(path)
        if state is None:
            return None
        digest.update(f"{name}\t{state}\n".encode())
    for source, reason in left_out:
        digest.update(f"{source}\t{reason}\n".encode())
    return digest.hexdigest()
