"""Everything that was made and kept, in one SQLite file: the content, its signed manifest, and what a gallery is filtered by.

Decisions. (1) The content lies in the file too, in a table of its own: one thing to copy, delete or back up, and nothing half-written after
a crash. (2) What is needed to list is in columns, so that a page of a gallery reads no manifest. (3) The oldest give way beyond a number.
(4) Whoever asks how long something takes is told by what was made before: seconds for each step or token of the same model.
"""

import contextlib
import dataclasses
import json
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from makar.data.sqlite_errors import primary_code
from makar.errors import AbsentAssetError, LibraryError, NewerLibraryError, OutOfSpaceError

SCHEMA = 1
MOST = 20_000
LARGEST_BYTES = 256_000_000
"""Of one asset that the shell or Python keeps: half an hour of a talk as WAV is 86 MB."""

LONGEST_PROMPT = 4000
CREATE, EDIT, CHAT = "create", "edit", "chat"
"""How an asset was made."""

LOOKS_EVERY = 64
RECENT = 9
"""Assets of a model by which the time of the next is estimated."""

WAIT_SECONDS = 10.0
COLUMNS = (
    *("id", "created", "model", "model_hash", "medium", "kind", "prompt", "seed", "run"),
    *("type", "bytes", "novelty", "is_copy"),
)
TABLES = """
CREATE TABLE IF NOT EXISTS assets (
  id TEXT PRIMARY KEY, created REAL NOT NULL, model TEXT NOT NULL, model_hash TEXT NOT NULL, medium TEXT NOT NULL, kind TEXT NOT NULL,
  prompt TEXT NOT NULL, seed INTEGER NOT NULL, run TEXT NOT NULL, type TEXT NOT NULL, bytes INTEGER NOT NULL, novelty REAL, is_copy INTEGER,
  skips INTEGER NOT NULL, seconds REAL NOT NULL, work REAL NOT NULL, manifest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS newest ON assets (created DESC);
CREATE INDEX IF NOT EXISTS of_model ON assets (model_hash, created DESC);
CREATE TABLE IF NOT EXISTS contents (id TEXT PRIMARY KEY REFERENCES assets (id) ON DELETE CASCADE, content BLOB NOT NULL);
"""
_HASH = "coalesce(json_extract(manifest, '$.manifest.content.sha256'), '')"
PREVIEW = 400
"""Characters of a text that a list shows."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One asset to keep.

    Attributes:
        signed: Its signed manifest.
        model: Name of the model.
        kind: ``CREATE``, ``EDIT`` or ``CHAT``.
        prompt: What was asked for, as a person reads it.
        content: The file.
        type: Its media type.
        seconds: How long it took.
        work: Steps or tokens that it took in that time; 0 where the time says nothing of the next one.
    """

    signed: dict[str, Any]
    model: str
    kind: str
    prompt: str
    content: bytes
    type: str
    seconds: float
    work: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of a library is wanted; ``None`` is anything.

    Attributes:
        model: Name of a model.
        medium: A medium.
        kind: How it was made.
        run: The training of the model.
        text: What the prompt, or the text itself, contains.
        before: Only what was kept before this asset.
        hashes: Only what has one of these hashes of its content.
        without: Nothing that has one of these.
        limit: Assets at most.
    """

    model: str | None = None
    medium: str | None = None
    kind: str | None = None
    run: str | None = None
    text: str | None = None
    before: str | None = None
    hashes: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    limit: int = 60


class Library:
    """The assets of a machine.

    Args:
        path: The file; it is made when something is kept.
        most: Assets that are kept.
    """

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        self._path = path
        self._most = most
        self._left = 0
        self._lock = threading.Lock()

    def keep(self, *entries: Entry) -> int:
        """Keep assets, all or none; one that is there already stays as it is. Returns how many were new.

        Raises:
            OutOfSpaceError: The disk is full.
            LibraryError: The library is busy, damaged or of a later version, or cannot be written.
        """
        created, new = 0.0, 0
        with self._open() as connection:
            for entry in entries:
                # Pages of a list are told apart by the time, so no two have the same.
                created = max(time.time(), created + 1e-6)
                values = _values(entry, created)
                marks = ", ".join(f":{name}" for name in values)
                put = f"INSERT OR IGNORE INTO assets ({', '.join(values)}) VALUES ({marks})"
                new += connection.execute(put, values).rowcount
                connection.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (values["id"], entry.content))
            # The first time too: a process of the shell keeps few.
            if self._left <= 0:
                self._left = LOOKS_EVERY
                oldest = "SELECT id FROM assets ORDER BY created DESC LIMIT -1 OFFSET ?"
                connection.execute(f"DELETE FROM assets WHERE id IN ({oldest})", (self._most,))
        self._left -= len(entries)
        return new

    def newest(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Return assets, the newest first; of texts the beginning.

        Raises:
            AbsentAssetError: The asset before which they are wanted is not there.
        """
        if not self._path.is_file():
            return []
        wheres, values = [], []
        for name in ("model", "medium", "kind", "run"):
            if (value := getattr(wanted, name)) is not None:
                wheres.append(f"{name} = ?")
                values.append(value)
        if wanted.text is not None:
            escaped = wanted.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
            wheres.append(
                r"(prompt LIKE ? ESCAPE '\' OR (type LIKE 'text/%' AND CAST(content AS TEXT) LIKE ? ESCAPE '\'))"
            )
            values += [f"%{escaped}%"] * 2
        if wanted.before is not None:
            self._one("SELECT id FROM assets WHERE id = ?", wanted.before)
            wheres.append("created < (SELECT created FROM assets WHERE id = ?)")
            values.append(wanted.before)
        if wanted.hashes is not None:
            wheres.append(f"{_HASH} IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(wanted.hashes))
        if wanted.without:
            wheres.append(f"{_HASH} NOT IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(wanted.without))
        where = f"WHERE {' AND '.join(wheres)}" if wheres else ""
        shown = f"CASE WHEN type LIKE 'text/%' THEN substr(CAST(content AS TEXT), skips + 1, {PREVIEW}) END"
        query = (
            f"SELECT {', '.join(f'assets.{name}' for name in COLUMNS)}, {shown} FROM assets JOIN contents USING (id)"
            f" {where} ORDER BY created DESC LIMIT ?"
        )
        with self._open() as connection:
            rows = connection.execute(query, (*values, wanted.limit)).fetchall()
        return [dict(zip((*COLUMNS, "text"), row)) for row in rows]

    def facets(self) -> dict[str, list[str]]:
        """Return what there is to filter by."""
        names = ("model", "medium", "kind", "run")
        if not self._path.is_file():
            return {name: [] for name in names}
        with self._open() as connection:
            return {
                name: [row[0] for row in connection.execute(f"SELECT DISTINCT {name} FROM assets ORDER BY 1") if row[0]]
                for name in names
            }

    def get(self, name: str) -> dict[str, Any]:
        """Return an asset with its signed manifest.

        Raises:
            AbsentAssetError: There is none.
        """
        row = self._one(f"SELECT {', '.join(COLUMNS)}, seconds, manifest FROM assets WHERE id = ?", name)
        values = dict(zip((*COLUMNS, "seconds", "manifest"), row))
        return values | {"manifest": json.loads(values["manifest"])}

    def manifest(self, name: str) -> str:
        """Return the signed manifest of an asset as it was signed, letter by letter.

        Raises:
            AbsentAssetError: There is no such asset.
        """
        (text,) = self._one("SELECT manifest FROM assets WHERE id = ?", name)
        return str(text)

    def content(self, name: str) -> tuple[bytes, str]:
        """Return the file of an asset and its media type.

        Raises:
            AbsentAssetError: There is none.
        """
        content, kind = self._one("SELECT content, type FROM contents JOIN assets USING (id) WHERE id = ?", name)
        return content, kind

    def remove(self, name: str) -> None:
        """Delete an asset.

        Raises:
            AbsentAssetError: There is none.
        """
        self._one("SELECT id FROM assets WHERE id = ?", name)
        with self._open() as connection:
            connection.execute("DELETE FROM assets WHERE id = ?", (name,))

    def pace(self, model_hash: str, engine: str | None = None) -> float | None:
        """Return about how many seconds a step or token of a model takes here; ``None`` when it made nothing yet.

        Args:
            model_hash: The model.
            engine: The engine that the manifests name; ``None`` for the model's own, which they do not name.
        """
        if not self._path.is_file():
            return None
        query = (
            "SELECT seconds / work FROM assets WHERE model_hash = ? AND work > 0"
            " AND json_extract(manifest, '$.manifest.computing.engine') IS ? ORDER BY created DESC LIMIT ?"
        )
        with self._open() as connection:
            rows = connection.execute(query, (model_hash, engine, RECENT)).fetchall()
        return statistics.median(row[0] for row in rows) if rows else None

    def _one(self, query: str, name: str) -> tuple[Any, ...]:
        row = None
        if self._path.is_file():
            with self._open() as connection:
                row = connection.execute(query, (name,)).fetchone()
        if row is None:
            raise AbsentAssetError(f"there is no asset {name[:60]!a}")
        found: tuple[Any, ...] = row
        return found

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LibraryError(f"the library cannot be used: {error.strerror}", do="choose another home") from error
            try:
                with contextlib.closing(sqlite3.connect(self._path, timeout=WAIT_SECONDS)) as connection:
                    connection.execute("PRAGMA foreign_keys = ON")
                    self._prepare(connection)
                    with connection:
                        yield connection
            except sqlite3.DatabaseError as error:
                if primary_code(error) == sqlite3.SQLITE_FULL:
                    raise OutOfSpaceError("the disk is full", do="free some space") from error
                is_busy = primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                raise LibraryError(
                    f"the library cannot be used: {error}",
                    do="ask again" if is_busy else f"look at {self._path.name} in Makar's folder, or move it away",
                ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA:
            return
        if version > SCHEMA:
            raise NewerLibraryError(
                f"the library is of schema {version}",
                expected=f"schema {SCHEMA}",
                do=f"use a newer Makar, or move {self._path.name} away",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(TABLES)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _run_of(manifest: dict[str, Any]) -> str:
    """Return the id of the training of the model; empty where there was none here."""
    run = manifest.get("run")
    return str(run.get("id", "")) if isinstance(run, dict) else str(run or "")


def _values(entry: Entry, created: float) -> dict[str, Any]:
    """Return the columns of an asset."""
    manifest = entry.signed["manifest"]
    novelty = manifest.get("novelty") or {}
    return {
        "id": manifest["id"],
        "created": created,
        "model": entry.model,
        # Films are edited without a model, and without a draw.
        "model_hash": (manifest["artifact"] or {}).get("hash", ""),
        "medium": manifest["medium"],
        "kind": entry.kind,
        "prompt": entry.prompt,
        "seed": manifest["seed"] or 0,
        "run": _run_of(manifest),
        "type": entry.type,
        "bytes": len(entry.content),
        "novelty": novelty.get("score"),
        "is_copy": novelty.get("is_copy"),
        "skips": int(manifest.get("continues_characters", 0)),
        "seconds": entry.seconds,
        "work": entry.work,
        "manifest": json.dumps(entry.signed, ensure_ascii=False, separators=(",", ":")),
    }
