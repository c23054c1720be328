"""Which files are in which vector store, and how far reading them has come: one table in a small SQLite file, so that a restart goes on.

Counting by status must not read ten thousand files of JSON, which is why this is no ``Shelf``.
"""

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from makar.serving.problems import Problem

STATUSES = ("in_progress", "completed", "failed", "cancelled")
_TABLE = """
create table if not exists files (
    store text not null, file text not null, batch text, status text not null, created integer not null, usage integer not null,
    filename text not null, attributes text not null, chunking text not null, error text, primary key (store, file)
);
create index if not exists of_status on files(status, created);
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreFile:
    """A file in a vector store.

    Attributes:
        store: Id of the store.
        file: Id of the file.
        batch: Id of the batch that it came with; ``None`` when it came alone.
        status: One of ``STATUSES``.
        created: Seconds since 1970.
        usage: Characters that the index holds of it.
        filename: What the file was called.
        attributes: What filters ask for.
        chunking: How it is divided.
        error: Why reading it failed: ``code`` and ``message``.
    """

    store: str
    file: str
    batch: str | None
    status: str
    created: int
    usage: int = 0
    filename: str
    attributes: dict[str, Any]
    chunking: dict[str, Any]
    error: dict[str, str] | None = None

    def shown(self) -> dict[str, Any]:
        """Return it in OpenAI's shape."""
        return {
            "id": self.file,
            "object": "vector_store.file",
            "created_at": self.created,
            "usage_bytes": self.usage,
            "vector_store_id": self.store,
            "status": self.status,
            "last_error": self.error,
            "attributes": self.attributes,
            "chunking_strategy": self.chunking,
            "filename": self.filename,
        }


class StoreFiles:
    """The table; used by the one thread that answers.

    Args:
        path: The file; it is made when something is put there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None

    def put(self, rows: Iterable[StoreFile]) -> None:
        """Put files in, in the place of those of the same store and id."""
        values = [
            (
                row.store,
                row.file,
                row.batch,
                row.status,
                row.created,
                row.usage,
                row.filename,
                json.dumps(row.attributes),
                json.dumps(row.chunking),
                None if row.error is None else json.dumps(row.error),
            )
            for row in rows
        ]
        with self._connection:
            self._connection.executemany(f"insert or replace into files values ({', '.join('?' * 10)})", values)

    def get(self, store: str, file: str) -> StoreFile:
        """Return a file of a store.

        Raises:
            Problem: It is not in it.
        """
        found = self._found("where store = ? and file = ?", (store, file))
        if not found:
            raise Problem(f"there is no {file[:60]!a} in this store", status=404, code="not_found", param="file_id")
        return found[0]

    def of_store(self, store: str, *, status: str | None = None, batch: str | None = None) -> list[StoreFile]:
        """Return the files of a store, the newest first; those of a status or of a batch only where one is given."""
        where, values = "where store = ?", [store]
        for name, value in (("status", status), ("batch", batch)):
            if value is not None:
                where, values = f"{where} and {name} = ?", [*values, value]
        return self._found(f"{where} order by created desc, rowid desc", tuple(values))

    def counts(self, store: str, *, batch: str | None = None) -> dict[str, int]:
        """Return how many files there are of every status, and in all."""
        more, values = ("", (store,)) if batch is None else (" and batch = ?", (store, batch))
        rows = dict(
            self._connection.execute(
                f"select status, count(*) from files where store = ?{more} group by status", values
            )
        )
        return {name: rows.get(name, 0) for name in STATUSES} | {"total": sum(rows.values())}

    def usage(self, store: str) -> int:
        """Return how many characters the index of a store holds."""
        row = self._connection.execute("select coalesce(sum(usage), 0) from files where store = ?", (store,)).fetchone()
        return int(row[0])

    def set_attributes(self, store: str, file: str, attributes: dict[str, Any]) -> StoreFile:
        """Change what filters ask for; return the file.

        Raises:
            Problem: It is not in the store.
        """
        row = self.get(store, file)
        with self._connection:
            self._connection.execute(
                "update files set attributes = ? where store = ? and file = ?", (json.dumps(attributes), store, file)
            )
        return dataclasses.replace(row, attributes=attributes)

    def end(self, row: StoreFile, *, error: dict[str, str] | None, usage: int) -> bool:
        """Note that a file was read, or why not; return whether it is still wanted."""
        status = "completed" if error is None else "failed"
        said = None if error is None else json.dumps(error)
        with self._connection:
            changed = self._connection.execute(
                "update files set status = ?, usage = ?, error = ?"
                " where store = ? and file = ? and created = ? and status = 'in_progress'",
                (status, usage, said, row.store, row.file, row.created),
            )
        return changed.rowcount > 0

    def cancel(self, batch: str) -> None:
        """Leave the files of a batch unread that were not read yet."""
        with self._connection:
            self._connection.execute(
                "update files set status = 'cancelled' where batch = ? and status = 'in_progress'", (batch,)
            )

    def waiting(self) -> StoreFile | None:
        """Return the file that waits longest to be read."""
        found = self._found("where status = 'in_progress' order by created, rowid limit 1", ())
        return found[0] if found else None

    def remove(self, store: str, file: str | None = None) -> None:
        """Take a file out of a store, or all of them."""
        with self._connection:
            if file is None:
                self._connection.execute("delete from files where store = ?", (store,))
            else:
                self._connection.execute("delete from files where store = ? and file = ?", (store, file))

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The thread of the tests is not that of the server.
            self._open = sqlite3.connect(self._path, timeout=30.0, check_same_thread=False)
            self._open.executescript(f"pragma journal_mode = wal; pragma synchronous = normal; {_TABLE}")
        return self._open

    def _found(self, where: str, values: tuple[str, ...]) -> list[StoreFile]:
        rows = self._connection.execute(
            "select store, file, batch, status, created, usage, filename, attributes, chunking, error"
            f" from files {where}",
            values,
        )
        return [
            StoreFile(
                store=store,
                file=file,
                batch=batch,
                status=status,
                created=created,
                usage=usage,
                filename=filename,
                attributes=json.loads(attributes),
                chunking=json.loads(chunking),
                error=None if error is None else json.loads(error),
            )
            for store, file, batch, status, created, usage, filename, attributes, chunking, error in rows
        ]
