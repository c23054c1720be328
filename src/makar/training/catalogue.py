"""A SQLite table of all runs for quick lists; only an index, which ``rebuild_catalogue`` makes anew from the run folders.

A catalogue that is missing, of another schema or damaged is started afresh; nothing is lost, because nothing lives only here.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from makar.home import home

SCHEMA = 1
COLUMNS = ("id", "key", "name", "medium", "recipe", "status", "created", "updated", "output", "artifact", "inner_loss")


class Catalogue:
    """The table ``runs`` in ``makar.db``."""

    def __init__(self) -> None:
        self.path = home() / "makar.db"

    def put(self, state: dict[str, Any]) -> None:
        """Add a run or replace what is known of it."""
        with self._open() as connection:
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
        except sqlite3.DatabaseError:
            self.path.unlink(missing_ok=True)
            connection = self._connect()
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10.0)
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


def _insert(connection: sqlite3.Connection, state: dict[str, Any]) -> None:
    values = {**state, "inner_loss": state.get("result", {}).get("inner_loss")}
    marks = ", ".join("?" for _ in COLUMNS)
    connection.execute(
        f"INSERT OR REPLACE INTO runs ({', '.join(COLUMNS)}) VALUES ({marks})", [values.get(name) for name in COLUMNS]
    )
