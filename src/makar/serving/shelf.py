"""Documents of a kind in a folder: a file of JSON each, written whole; beside it may lie what was uploaded.

Ids are made here and only those are ever looked up, so no name from outside becomes a path.
"""

import contextlib
import errno
import json
import os
import re
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from makar.errors import OutOfSpaceError
from makar.serving.problems import Problem

LOOKS_EVERY = 64
"""Documents that may come before it is looked whether there are too many."""

COPIES = "data"
"""Folder of the copies."""

_ID = re.compile(r"[a-z]+[-_][0-9a-f]{24}")


class Shelf:
    """Documents of one kind.

    Args:
        folder: Where they lie; it is made when something is put there.
        kind: Beginning of every id, ``"file-"``.
        most: Documents that are kept.
        forgets: Whether the oldest give way to what comes when there are more; otherwise what comes is refused.
    """

    def __init__(self, folder: Path, *, kind: str, most: int = 10_000, forgets: bool = False) -> None:
        self._folder = folder
        self._kind = kind
        self._most = most
        self._forgets = forgets
        self._puts = 0
        self._room = 0

    def new_id(self) -> str:
        """Return an id that nobody can guess; later ones come later in the alphabet."""
        return f"{self._kind}{time.time_ns() // 1000:014x}{secrets.token_hex(5)}"

    def put(self, name: str, values: dict[str, Any], content: bytes | None = None) -> None:
        """Keep a document, and what belongs to it.

        Args:
            name: Its id.
            values: The document.
            content: Bytes that are kept beside it; ``None`` leaves those that are there.

        Raises:
            OutOfSpaceError: The disk is full.
            Problem: There are as many as are kept, and the oldest do not give way.
        """
        self._make_room(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        if content is not None:
            self._write(self.content_path(name), content)
        self._write(self._path(name), json.dumps(values, ensure_ascii=False).encode())
        # To look at every document whenever one comes would take longer than anything else.
        if self._forgets and self._puts % LOOKS_EVERY == 0:
            for old in self.names()[: -self._most]:
                self._unlink(old)
        self._puts += 1

    def _make_room(self, name: str) -> None:
        if self._forgets or self._path(name).exists():
            return
        if not self._room:
            self._room = max(0, self._most - len(self.names()))
        if not self._room:
            raise Problem(
                f"{self._most} of {self._kind.rstrip('-_')} are kept already",
                status=409,
                code="too_many",
                do="delete some that are not needed any more",
            )
        self._room -= 1

    def get(self, name: str) -> dict[str, Any]:
        """Return a document.

        Raises:
            Problem: There is none.
        """
        try:
            values: dict[str, Any] = json.loads(self._path(self._checked(name)).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._absent(name) from error
        return values

    def content(self, name: str) -> bytes:
        """Return what lies beside a document.

        Raises:
            Problem: There is nothing.
        """
        try:
            return self.content_path(self._checked(name)).read_bytes()
        except OSError as error:
            raise self._absent(name) from error

    def content_path(self, name: str) -> Path:
        """Return where that lies."""
        return self._folder / name

    def copy(self, name: str, suffix: str) -> Path:
        """Return a copy of what lies beside a document under a name that ends so, which says what it holds; it goes with the document.

        Raises:
            Problem: There is nothing.
            OutOfSpaceError: The disk is full.
        """
        content = self.content(name)
        path = self._folder / COPIES / f"{name}{suffix}"
        if not path.is_file() or path.stat().st_size != len(content):
            path.parent.mkdir(exist_ok=True)
            self._write(path, content)
        return path

    def remove(self, name: str) -> None:
        """Delete a document.

        Raises:
            Problem: There is none.
        """
        if not self._path(self._checked(name)).is_file():
            raise self._absent(name)
        self._unlink(name)

    def names(self) -> list[str]:
        """Return the ids, the oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(path.stem for path in self._folder.glob(f"{self._kind}*.json") if _ID.fullmatch(path.stem))

    def all(self) -> list[dict[str, Any]]:
        """Return the documents, the newest first."""
        found = []
        for name in reversed(self.names()):
            with contextlib.suppress(Problem):
                found.append(self.get(name))
        return found

    def _unlink(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)
        self.content_path(name).unlink(missing_ok=True)
        for copied in (self._folder / COPIES).glob(f"{name}.*"):
            copied.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _checked(self, name: str) -> str:
        if not _ID.fullmatch(name) or not name.startswith(self._kind):
            raise self._absent(name)
        return name

    def _absent(self, name: str) -> Problem:
        return Problem(f"there is no {name[:60]!a}", status=404, code="not_found", param="id")

    def _write(self, path: Path, content: bytes) -> None:
        temporary: str | None = None
        try:
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OutOfSpaceError("the disk is full", do="free some space") from error
            raise
