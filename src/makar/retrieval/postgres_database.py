"""The connection of an index to its PostgreSQL database: one a thread, errors in our words, writers that take turns."""

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from makar.errors import ArtifactError, UsageError
from makar.optional import library

USUAL_NAME = "documents"
CONNECT_SECONDS = 10
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,47}")


class _PerThread(threading.local):
    connection: Any = None


class Database:
    """A schema of a database.

    Args:
        address: ``postgresql://HOST/DATABASE#NAME``.

    Raises:
        UsageError: The name is none.
    """

    def __init__(self, address: str) -> None:
        self._address, _, name = address.partition("#")
        self.name = name or USUAL_NAME
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"an index called {self.name[:60]!a}", expected="small letters, digits and _, at most 48")
        self.schema = f"makar_{self.name}"
        self._local = _PerThread()

    def __str__(self) -> str:
        """Return where it is, without the password."""
        parts = urlsplit(self._address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}#{self.name}"

    def close(self) -> None:
        """Close the connection of this thread."""
        if self._local.connection is not None:
            self._local.connection.close()
            self._local.connection = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Make everything that is written inside one transaction; writers take turns."""
        with self.said():
            if self.connection.info.transaction_status != 0:
                yield
                return
            with self.connection.transaction():
                self.run("select pg_advisory_xact_lock(hashtext(%s))", self.schema)
                yield
                self.run("update about set value = (value::bigint + 1)::text where name = 'changes'")

    def copy(self, into: str, rows: Iterator[tuple[Any, ...]]) -> None:
        """Put many rows into a table."""
        with self.connection.cursor() as cursor, cursor.copy(f"copy {into} from stdin") as copying:
            for row in rows:
                copying.write_row(row)

    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement and return its cursor."""
        with self.said():
            return self.connection.execute(statement, values or None)

    @contextlib.contextmanager
    def said(self) -> Iterator[None]:
        """Turn errors of the database into ours."""
        psycopg = driver()
        try:
            yield
        except psycopg.errors.UndefinedFile as error:
            raise ArtifactError(
                f"the database of {self} has no pgvector", do="install pgvector on the server of the database"
            ) from error
        except psycopg.errors.UndefinedTable as error:
            raise ArtifactError(f"{self} is no index", expected="a schema that makar index made") from error
        except psycopg.Error as error:
            said = " ".join(str(error).split())[:300]
            raise ArtifactError(f"the database of {self} cannot be used: {said}") from error

    @property
    def connection(self) -> Any:
        """The connection of this thread, opened when it is first wanted."""
        connection = self._local.connection
        if connection is None or connection.closed:
            psycopg = driver()
            try:
                connection = psycopg.connect(self._address, autocommit=True, connect_timeout=CONNECT_SECONDS)
                connection.execute(f"set search_path = {self.schema}, public")
            except psycopg.Error as error:
                said = " ".join(str(error).split())[:300]
                raise ArtifactError(
                    f"the database of {self} does not answer: {said}",
                    expected="postgresql://HOST/DATABASE#NAME",
                    do="PGPASSWORD or ~/.pgpass hold its password",
                ) from error
            self._local.connection = connection
        return connection


def driver() -> Any:
    """Return the package ``psycopg``.

    Raises:
        MissingExtraError: It is not installed.
    """
    return library("psycopg", extra="postgres")
