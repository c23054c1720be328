"""Writing a folder so that it exists whole or not at all, and replacing one only when its successor is complete.

A new folder is written beside the target under a temporary name, every file and the folder itself are synced, and then it takes the
name. A folder that is replaced steps aside as ``.NAME.replaced`` for the moment between two renames; if the machine dies exactly
there, ``recover`` puts it back (the method of write-ahead renaming; POSIX rename is atomic on one file system).
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from makar.errors import ArtifactError, OutOfSpaceError, UsageError


@contextlib.contextmanager
def new_folder(target: Path, *, replaces: str | None) -> Iterator[Path]:
    """Give a temporary folder that takes the place of ``target`` when the block ends without an error.

    Args:
        target: The folder to make.
        replaces: Name of a file that an existing folder must hold to be replaced; ``None`` never replaces.

    Raises:
        UsageError: The target exists and may not be replaced.
        OutOfSpaceError: The disk is full; nothing is left behind and an existing folder stays.
        ArtifactError: The place cannot be written.
    """
    target = target.absolute()
    recover(target)
    check_replaceable(target, replaces)
    building: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        yield building
        building.chmod(0o755)
        sync_tree(building)
        _take_place(building, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpaceError(
                f"the disk is full while writing {target}", do="free some space and try again"
            ) from error
        raise ArtifactError(
            f"{target} cannot be written: {error.strerror or error}", expected="a folder that can be written"
        ) from error
    finally:
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)


def check_replaceable(target: Path, replaces: str | None) -> None:
    """Refuse a target that exists and is not what may be replaced.

    Raises:
        UsageError: Something else is there.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if target.is_dir() and replaces is not None and (target / replaces).is_file():
        return
    raise UsageError(f"{target} exists", expected="a new or empty folder", do="choose another, or remove it yourself")


def recover(target: Path) -> None:
    """Put back a folder that had stepped aside when the machine died before its successor took the name."""
    aside = _aside(target)
    if aside.is_dir():
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.rename(target)


def sync_tree(folder: Path) -> None:
    """Make sure that every file and folder below has reached the disk."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def write_file(folder: Path, name: str, content: bytes) -> None:
    """Write a file below a folder, making the folders between."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _take_place(building: Path, target: Path) -> None:
    aside = _aside(target)
    if target.exists():
        target.rename(aside)
    building.rename(target)
    _sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.replaced")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot sync a folder; the rename is still atomic there.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
