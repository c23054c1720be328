"""Turns the errors of SQLite into ours: a full disk, another process that holds the file, damage, and what else there is."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from makar.errors import DataError, MakarError, OutOfSpaceError


@contextlib.contextmanager
def said(path: Path) -> Iterator[None]:
    """Say what goes wrong inside in our words.

    Args:
        path: The file of the database.

    Raises:
        OutOfSpaceError: The disk is full.
        MakarError: Another process does not let go of the file.
        DataError: The file is damaged, or cannot be used.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = primary_code(error)
        if code == sqlite3.SQLITE_FULL:
            raise OutOfSpaceError(f"the disk is full while writing {path}", do="free some space") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise MakarError(f"another process holds {path}", do="try again when it has finished") from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DataError(f"{path} is damaged: {error}", do="put a copy in its place, or move it away") from error
        raise DataError(f"{path} cannot be used: {error}", do="look at its permissions") from error


def primary_code(error: sqlite3.Error) -> int:
    """Return which of SQLite's kinds of error one is; 0 where it is of the module and not of SQLite."""
    try:
        # The low byte is the primary code; extended codes add to it.
        return error.sqlite_errorcode & 0xFF
    except AttributeError:
        return 0
