"""A folder for work that is thrown away or renamed when it is finished, and that no killed process leaves behind for good.

The kernel holds a lock on the folder itself as long as its process lives (``flock``), so the next one that works in the same place
knows what was left by a dead one and removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workplace(parent: Path, *, prefix: str) -> Iterator[Path]:
    """Give a new, private folder, and remove it and what killed processes left under the same prefix.

    Args:
        parent: Where it is made; made itself when absent.
        prefix: How its name begins; everything in ``parent`` whose name begins so is taken for a workplace.
    """
    parent.mkdir(parents=True, exist_ok=True)
    # Between the making of a folder and its lock nobody else may look.
    with _locked(parent):
        remove_abandoned(parent, prefix=prefix)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(parent: Path, *, prefix: str) -> None:
    """Remove the workplaces of processes that are no more."""
    for folder in parent.glob(f"{prefix}*"):
        if not folder.is_dir() or folder.is_symlink():
            continue
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
