"""Errors in the shape of OpenAI's API: what came, what was expected and what to do, with the status that fits.

Source: https://platform.openai.com/docs/guides/error-codes (``{"error": {"message", "type", "param", "code"}}``).
"""

import re
import sqlite3
from typing import Any

from makar.data.sqlite_errors import primary_code
from makar.errors import (
    AbsentAssetError,
    ArtifactError,
    ConfigError,
    ConsentError,
    CopyRefusedError,
    DataError,
    LibraryError,
    MakarError,
    MissingExtraError,
    NewerLibraryError,
    OutOfMemoryError,
    OutOfSpaceError,
    RemoteError,
    RunLockedError,
    UnknownNameError,
    UnsupportedError,
    UsageError,
)

INVALID, LIMITED, DENIED, BROKEN = "invalid_request_error", "rate_limit_error", "authentication_error", "server_error"
_FIELD = re.compile(r"^\w+\.(\w+)\b|^\w+ lacks (\w+)")

STATUSES: tuple[tuple[type[MakarError], int, str, str], ...] = (
    (AbsentAssetError, 404, INVALID, "not_found"),
    (UnknownNameError, 400, INVALID, "unknown_name"),
    (UnsupportedError, 400, INVALID, "unsupported"),
    (ConsentError, 403, INVALID, "no_consent"),
    (UsageError, 400, INVALID, "invalid_value"),
    (CopyRefusedError, 400, INVALID, "copy_refused"),
    (DataError, 400, INVALID, "invalid_data"),
    (RunLockedError, 409, INVALID, "conflict"),
    (OutOfMemoryError, 503, BROKEN, "out_of_memory"),
    (OutOfSpaceError, 507, BROKEN, "disk_full"),
    (NewerLibraryError, 409, INVALID, "newer_library"),
    (LibraryError, 503, BROKEN, "library_busy"),
    (RemoteError, 502, BROKEN, "upstream"),
    (MissingExtraError, 501, BROKEN, "missing_extra"),
    (ArtifactError, 409, INVALID, "unusable_model"),
    (MakarError, 500, BROKEN, "failed"),
)
"""The first that fits counts."""


class Problem(MakarError):
    """An error that already knows its status.

    Args:
        came: What was received or what happened.
        status: The status of HTTP.
        code: A word for programs.
        expected: What was expected instead.
        do: What the reader can do now.
        param: The field that is wrong.
        kind: The type in OpenAI's words.
    """

    def __init__(
        self,
        came: str,
        *,
        status: int,
        code: str,
        expected: str = "",
        do: str = "",
        param: str | None = None,
        kind: str = INVALID,
    ) -> None:
        super().__init__(came, expected=expected, do=do)
        self.status = status
        self.code = code
        self.param = param
        self.kind = kind


def retry_headers(status: int) -> dict[str, str]:
    """Return what tells a client whether to ask again; OpenAI's does after 409 and 5xx, where waiting mends nothing here."""
    if status in (429, 503):
        return {"retry-after": "1"}
    return {"x-should-retry": "false"} if status in (409, 501, 507) else {}


def problem_of(error: BaseException) -> dict[str, Any]:
    """Return an error as plain values: ``status`` and ``error`` in OpenAI's shape."""
    if isinstance(error, sqlite3.Error):
        error = _of_database(error)
    if isinstance(error, Problem):
        return shaped(error, status=error.status, kind=error.kind, code=error.code, param=error.param)
    if isinstance(error, MemoryError):
        error = OutOfMemoryError("the memory is full", do="ask for less, or use a smaller model")
    if not isinstance(error, MakarError):
        # The text of an unknown error may hold paths of this machine: its kind is enough to report it.
        error = MakarError(f"an error inside Makar: {type(error).__name__}", do="look at what the server printed")
    for kind, status, word, code in STATUSES:
        if isinstance(error, kind):
            return shaped(error, status=status, kind=word, code=code, param=_param(error))
    raise AssertionError("the root of the tree is in the table")


def _of_database(error: sqlite3.Error) -> BaseException:
    code = primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return OutOfSpaceError("the disk is full", do="free some space")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Problem("a database is held by another process", status=503, code="busy", do="ask again", kind=BROKEN)
    return error


def shaped(error: MakarError, *, status: int, kind: str, code: str, param: str | None) -> dict[str, Any]:
    """Return the values of ``problem_of``."""
    parts = [error.came]
    if error.expected:
        parts.append(f"expected: {error.expected}")
    if error.do:
        parts.append(f"do: {error.do}")
    message = "; ".join(parts)
    return {"status": status, "error": {"message": message, "type": kind, "param": param, "code": code}}


def _param(error: MakarError) -> str | None:
    if isinstance(error, AbsentAssetError):
        return "id"
    if isinstance(error, ConfigError | UnknownNameError):
        found = _FIELD.match(error.kind if isinstance(error, UnknownNameError) else error.came)
        if found:
            return found[1] or found[2]
    return None
