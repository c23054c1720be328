"""One SQLite file with documents, their passages, the words of these, and vectors: what ``makar index`` writes and questions are put to.

A document comes in or goes out in one transaction, with its passages, words and vectors; so a run that is killed loses one document at
most, readers never see half of one, and two writers take turns (SQLite waits for a lock). The words are in two FTS5 tables that hold no
copy of the text: stems, and groups of three characters for passages in scripts without spaces. Vectors are kept in half precision, a
row for each passage and model, and found by comparing with all of them. The file holds text and numbers only: nothing in it is
executed.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float, Float32, Int64

from makar.data.sqlite_errors import primary_code, said
from makar.errors import ArtifactError
from makar.retrieval import approximate
from makar.retrieval.chunking import Passage
from makar.retrieval.index import Index, Known, Phrase, Stored, units
from makar.retrieval.sqlite_schema import TABLES
from makar.retrieval.terms import has_grams

SCHEMA = 1
LOCK_SECONDS = 60.0
TITLE_WEIGHT, HEADING_WEIGHT, TEXT_WEIGHT = 1.0, 1.0, 1.0

_OF_ANOTHER_KIND = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
"""Errors of a file that is no index: there is no such table, it is no database, or a damaged one."""

_CHANGED = "update about set value = value + 1 where name = 'changes'"
"""Said of passages and vectors only: by this number it is seen whether vectors that were read, and their graph, are still those."""

# As one value: a list of names can be longer than the number of values that a statement may have.
_PASSAGES_OF = """
select passages.id from passages join documents on documents.id = document
where documents.name in (select value from json_each(?))
"""


class _PerThread(threading.local):
    connection: sqlite3.Connection | None = None


class SqliteIndex(Index):
    """An index in a file; made with ``create`` or ``open``.

    Args:
        path: The file, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = _PerThread()
        self._vectors: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Open an index, or make an empty one.

        Raises:
            ArtifactError: There is a file that is no index, or one of another version.
            DataError: It cannot be written there.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        index = cls(path)
        # One without tables was begun by another process, which was killed or is at it.
        with said(path):
            is_new = index._is_empty()
        if is_new:
            with index._writing() as connection:
                if index._is_empty():
                    for statement in TABLES.split(";\n"):
                        connection.execute(statement)
                    connection.execute("insert into about values ('schema', ?), ('changes', '0')", (str(SCHEMA),))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an index.

        Raises:
            ArtifactError: There is none, or the file is no index, or one of another version.
            DataError: It cannot be read.
        """
        if not path.is_file():
            raise ArtifactError(f"there is no index {path}", do=f"makar index DOCUMENTS -o {path}")
        index = cls(path)
        with said(path):
            try:
                row = index._connection.execute("select value from about where name = 'schema'").fetchone()
            except sqlite3.DatabaseError as error:
                if primary_code(error) not in _OF_ANOTHER_KIND:
                    raise
                raise ArtifactError(f"{path} is no index: {error}", expected="a file that makar index wrote") from error
        if row is None or row[0] != str(SCHEMA):
            raise ArtifactError(
                f"{path} has the schema {row and row[0]}",
                expected=str(SCHEMA),
                do="index the documents again into a new file",
            )
        return index

    def _is_empty(self) -> bool:
        try:
            return self._connection.execute("select 1 from sqlite_master").fetchone() is None
        except sqlite3.DatabaseError as error:
            if primary_code(error) not in _OF_ANOTHER_KIND:
                raise
            return False

    def close(self) -> None:
        """Close the connection of this thread."""
        if self._local.connection is not None:
            self._local.connection.close()
            self._local.connection = None

    def known(self) -> dict[str, Known]:
        """Return what is kept of every document, by name."""
        rows = self._connection.execute("select name, id, size, modified, sha256 from documents")
        return {
            name: Known(id=id_, size=size, modified=modified, sha256=sha) for name, id_, size, modified, sha in rows
        }

    def about(self, name: str) -> str | None:
        """Return what is noted under a name."""
        row = self._connection.execute("select value from about where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Note something under a name."""
        with self._writing() as connection:
            connection.execute("insert or replace into about values (?, ?)", (name, value))

    def counts(self) -> tuple[int, int]:
        """Return the number of documents and of passages."""
        row = self._connection.execute(
            "select (select count(*) from documents), (select count(*) from passages)"
        ).fetchone()
        return int(row[0]), int(row[1])

    def replace(
        self, name: str, found: Sequence[Passage], *, title: str, size: int, modified: int, sha256: str, form: str
    ) -> None:
        """Put a document in; see ``Index``."""
        with self._writing() as connection:
            _remove(connection, name)
            connection.execute(_CHANGED)
            document = connection.execute(
                "insert into documents(name, title, size, modified, sha256, form) values (?, ?, ?, ?, ?, ?)",
                (name, title, size, modified, sha256, form),
            ).lastrowid
            for place, passage in enumerate(found):
                values = (
                    passage.start,
                    passage.end,
                    passage.page,
                    title,
                    passage.heading,
                    passage.text.replace("\0", " "),
                )
                number = connection.execute(
                    "insert into passages(document, place, start, finish, page, title, heading, text) values (?, ?, ?, ?, ?, ?, ?, ?)",
                    (document, place, *values),
                ).lastrowid
                connection.execute(
                    "insert into words(rowid, title, heading, text) values (?, ?, ?, ?)", (number, *values[3:])
                )
                if has_grams(passage.text):
                    connection.execute("insert into grams(rowid, text) values (?, ?)", (number, values[5]))
                    connection.execute("insert into gram_passages values (?)", (number,))

    def touch(self, name: str, *, size: int, modified: int) -> None:
        """Keep that a file was written again with the same content."""
        with self._writing() as connection:
            connection.execute("update documents set size = ?, modified = ? where name = ?", (size, modified, name))

    def remove(self, name: str) -> None:
        """Take a document out, with everything that belongs to it; one that is not there is passed over."""
        with self._writing() as connection:
            if _remove(connection, name):
                connection.execute(_CHANGED)

    def lexical(
        self, phrases: Sequence[Phrase], *, limit: int, grams: bool = False, documents: Collection[str] | None = None
    ) -> list[int]:
        """Return passages that hold any of some phrases; see ``Index``."""
        if not phrases:
            return []
        query = " OR ".join(" + ".join(map(_quoted, phrase)) for phrase in phrases)
        table = "grams" if grams else "words"
        rank = "bm25(grams)" if grams else f"bm25(words, {TITLE_WEIGHT}, {HEADING_WEIGHT}, {TEXT_WEIGHT})"
        only, names = ("", []) if documents is None else (f" and rowid in ({_PASSAGES_OF})", [_listed(documents)])
        rows = self._connection.execute(
            f"select rowid from {table} where {table} match ?{only} order by {rank}, rowid limit ?",
            (query, *names, limit),
        )
        return [int(row[0]) for row in rows]

    def holding(self, pieces: Sequence[str], *, limit: int, documents: Collection[str] | None = None) -> list[int]:
        """Return the passages in scripts without spaces that hold any of some pieces; see ``Index``."""
        held = " + ".join(["(instr(text, ?) > 0)"] * len(pieces))
        only, names = ("", []) if documents is None else (f" and id in ({_PASSAGES_OF})", [_listed(documents)])
        rows = self._connection.execute(
            f"select id, {held} as held from passages join gram_passages on passage = id where held > 0{only}"
            " order by held desc, id limit ?",
            (*pieces, *names, limit),
        )
        return [int(row[0]) for row in rows]

    def passages_of(self, documents: Collection[str]) -> list[int]:
        """Return the numbers of the passages of documents, in their order."""
        rows = self._connection.execute(f"{_PASSAGES_OF} order by document, place", (_listed(documents),))
        return [int(row[0]) for row in rows]

    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """Return in how many passages each term is; terms that are nowhere are left out."""
        found: dict[str, int] = {}
        for term in terms:
            row = self._connection.execute("select doc from frequencies where term = ?", (term,)).fetchone()
            if row is not None:
                found[term] = int(row[0])
        return found

    def stored(self, numbers: Sequence[int]) -> list[Stored]:
        """Return passages by their numbers, in the order of these; what is not there any more is left out."""
        found: dict[int, Stored] = {}
        for start in range(0, len(numbers), 500):
            some = list(numbers[start : start + 500])
            marks = ", ".join("?" * len(some))
            rows = self._connection.execute(
                "select passages.id, documents.name, place, start, finish, page, heading, text from passages"
                f" join documents on documents.id = document where passages.id in ({marks})",
                some,
            )
            for number, name, place, begin, end, page, heading, text in rows:
                passage = Passage(start=begin, end=end, heading=heading, page=page, text=text)
                found[number] = Stored(id=number, document=name, place=place, passage=passage)
        return [found[number] for number in numbers if number in found]

    def around(self, document: str, start: int, end: int, *, most: int) -> list[Stored]:
        """Return the passages around a place; see ``Index``."""
        rows = self._connection.execute(
            "select min(place), max(place) from passages join documents on documents.id = document"
            " where name = ? and start < ? and finish > ?",
            (document, max(end, start + 1), start),
        ).fetchone()
        if rows[0] is None:
            return []
        numbers = self._connection.execute(
            "select passages.id from passages join documents on documents.id = document"
            " where name = ? and place between ? and ? order by place limit ?",
            (document, rows[0] - 1, rows[1] + 1, most),
        ).fetchall()
        return self.stored([number for (number,) in numbers])

    def without_vectors(self, model: str, *, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Return passages without a vector of a model; see ``Index``."""
        rows = self._connection.execute(
            "select id, title, heading, text from passages where id > ?"
            " and not exists (select 1 from vectors where model = ? and passage = passages.id) order by id limit ?",
            (after, model, limit),
        )
        return [(int(number), "\n".join(filter(None, (title, heading, text)))) for number, title, heading, text in rows]

    def add_vectors(self, model: str, numbers: Sequence[int], vectors: Float[np.ndarray, "count width"]) -> None:
        """Keep vectors; see ``Index``."""
        rows = units(model, vectors).astype(np.float16)
        with self._writing() as connection:
            # A passage may have gone in the meantime.
            connection.executemany(
                "insert or replace into vectors(passage, model, vector) select id, ?, ? from passages where id = ?",
                [(model, row.tobytes(), int(number)) for number, row in zip(numbers, rows, strict=True)],
            )
            connection.execute(_CHANGED)

    def vectors(self, model: str) -> tuple[Int64[np.ndarray, " count"], Float32[np.ndarray, "count width"]]:
        """Return numbers and vectors of all passages of a model; read once until the file changes."""
        changes = int(self._connection.execute("select value from about where name = 'changes'").fetchone()[0])
        with self._lock:
            kept = self._vectors.get(model)
            if kept is not None and kept[0] == changes:
                return kept[1], kept[2]
        rows = self._connection.execute(
            "select passage, vector from vectors where model = ? order by passage", (model,)
        ).fetchall()
        numbers = np.array([row[0] for row in rows], np.int64)
        packed = b"".join(row[1] for row in rows)
        matrix = np.frombuffer(packed, np.float16).reshape(len(rows), -1 if rows else 0).astype(np.float32)
        with self._lock:
            self._vectors[model] = (changes, numbers, matrix)
        return numbers, matrix

    def nearest(
        self,
        model: str,
        vector: Float32[np.ndarray, " width"],
        *,
        limit: int,
        documents: Collection[str] | None = None,
    ) -> list[int]:
        """Return the nearest passages, by the graph where there is one of this state; see ``Index``."""
        graph = approximate.opened(self, model) if documents is None else None
        if graph is not None:
            return graph.nearest(vector, limit=limit)
        numbers, vectors = self.vectors(model)
        if documents is not None:
            kept = np.isin(numbers, np.array(self.passages_of(documents), np.int64))
            numbers, vectors = numbers[kept], vectors[kept]
        if not len(numbers):
            return []
        likeness = vectors @ vector
        count = min(limit, len(numbers))
        first = np.argpartition(-likeness, count - 1)[:count]
        return [int(numbers[place]) for place in first[np.argsort(-likeness[first], kind="stable")]]

    def build_graph(self, model: str) -> bool:
        """Make the graph of FAISS beside the file, from ``approximate.LEAST`` passages on where the extra is installed."""
        return approximate.build_graph(self, model)

    @property
    def _connection(self) -> sqlite3.Connection:
        connection = self._local.connection
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=LOCK_SECONDS, isolation_level=None)
            connection.execute("pragma foreign_keys = on")
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute("pragma trusted_schema = off")
            self._local.connection = connection
        return connection

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make everything that is written inside one transaction: a hundred documents are not much slower than one."""
        with self._writing():
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        if connection.in_transaction:
            yield connection
            return
        with said(self.path):
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                # When the disk is full SQLite has rolled back by itself.
                if connection.in_transaction:
                    connection.execute("rollback")
                raise


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _listed(names: Collection[str]) -> str:
    return json.dumps(list(names))


def _remove(connection: sqlite3.Connection, name: str) -> bool:
    """Take a document out; return whether it was there."""
    row = connection.execute("select id from documents where name = ?", (name,)).fetchone()
    if row is None:
        return False
    # A table of words without a copy of the text has to be told what to forget.
    connection.execute(
        "insert into words(words, rowid, title, heading, text)"
        " select 'delete', id, title, heading, text from passages where document = ?",
        row,
    )
    connection.execute(
        "insert into grams(grams, rowid, text) select 'delete', id, text from passages"
        " join gram_passages on passage = id where document = ?",
        row,
    )
    connection.execute("delete from documents where id = ?", row)
    return True
