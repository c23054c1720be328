"""A SQLite table of all runs for quick lists; only an index, which ``rebuild_catalogue`` makes anew from the run folders.

A catalogue that is missing, of another schema or damaged is started afresh; nothing is lost, because nothing lives only here. One that
is only busy, full or not to be written is left alone: ``put`` passes over it, because a training must not end for a list.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from makar.home import home

SCHEMA = 1
WAIT_SECONDS = 10.0
"""How long a busy catalogue is waited for."""
COLUMNS = ("id", "key", "name", "medium", "recipe", "status", "created", "updated", "output", "artifact", "inner_loss")


class Catalogue:
    """The table ``runs`` in ``makar.db``."""

    def __init__(self) -> None:
        self.path = home() / "makar.db"

    def put(self, state: dict[str, Any]) -> None:
        """Add a run or replace what is known of it; a catalogue that cannot be written now stays as it is and is rebuilt later."""
        with contextlib.suppress(sqlite3.Error, OSError), self._open() as connection:
            _insert(connection, state)

    def replace_all(self, states: list[dict[str, Any]]) -> None:
        """Forget everything and take these runs."""
        with self._open() as connection:
            connection.execute("DELETE FROM runs")
            for state in states:
                _insert(connection, state)

    def rows(self) -> list[dict[str, Any]]:
        """Return all runs, newest first."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(COLUMNS)} FROM runs ORDER BY created DESC, id DESC"
            ).fetchall()
        return [dict(zip(COLUMNS, row)) for row in rows]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._start_afresh()
            connection = self._connect()
        try:
            with connection:
                yield connection
        except sqlite3.DatabaseError as error:
            # Damage in the middle of the file shows only now; the caller sees the error and the next call finds an empty catalogue.
            if _is_damage(error):
                self._start_afresh()
            raise
        finally:
            connection.close()

    def _start_afresh(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, SCHEMA):
                connection.execute("DROP TABLE IF EXISTS runs")
            columns = ", ".join(f"{name} {'REAL' if name == 'inner_loss' else 'TEXT'}" for name in COLUMNS[1:])
            connection.execute(f"CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, {columns})")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.commit()
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether the file itself is wrong, and not only busy, full, read-only or out of reach."""
    try:
        code = error.sqlite_errorcode
    except AttributeError:  # raised by the module and not by SQLite
        return False
    # The low byte is the primary code; extended codes add to it.
    return (code & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def catalogue_rows(states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that a catalogue of these runs would have, newest first."""
    rows = [_row(state) for state in states]
    return sorted(rows, key=lambda row: (row["created"], row["id"]), reverse=True)


def _row(state: dict[str, Any]) -> dict[str, Any]:
    values = {**state, "inner_loss": state.get("result", {}).get("inner_loss")}
    return {name: values.get(name) for name in COLUMNS}


def _insert(connection: sqlite3.Connection, state: dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in COLUMNS)
    row = _row(state)
    connection.execute(
        f"INSERT OR REPLACE INTO runs ({', '.join(COLUMNS)}) VALUES ({marks})", [row[name] for name in COLUMNS]
    )
