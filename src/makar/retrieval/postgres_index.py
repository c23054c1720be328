"""An index in a PostgreSQL database with pgvector: ``postgresql://HOST/DATABASE#NAME``, for indexes that many machines share.

The name stands behind the hash sign and is a schema of its own (``makar_NAME``), so one database holds many indexes and dropping the schema
drops the index. Passwords come from where PostgreSQL's own programs take them (``PGPASSWORD``, ``~/.pgpass``); one in the address works too
and is never shown.

Words are cut up by the same tokenizer as in the SQLite index, and where each stands is kept; so phrases are found, and BM25 (Robertson et
al. 1994; k1 1.2, b 0.75, as in FTS5) is one statement of SQL and gives the same order. PostgreSQL's own ``ts_rank`` knows no document
frequencies. Vectors are compared with all (exact) until there are ``LEAST``; from then on by pgvector's HNSW graph. Writers take turns by a
lock of the transaction; a document comes in or goes out whole.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Float32, Int64

from makar.errors import ArtifactError
from makar.retrieval.chunking import Passage
from makar.retrieval.index import Index, Known, Phrase, Stored, units
from makar.retrieval.postgres_database import Database
from makar.retrieval.postgres_schema import BEST, COLUMN_STEP, ONE_WORD, TABLES, side_by_side
from makar.retrieval.terms import Stemmer, has_grams

SCHEMA = "1"
LEAST = 50_000
"""Vectors from which on a graph is made."""

LONGEST_TERM = 200
"""Characters of a term that are kept, of checksums and of writing without spaces: a row of an index of the database holds 2,704 bytes."""

WIDEST_GRAPH = 4000
"""Numbers of a vector that pgvector's graph takes in half precision."""


class PostgresIndex(Index):
    """An index in a database; made with ``create`` or ``open``.

    Args:
        address: As above.

    Raises:
        UsageError: The name of the index is none.
    """

    def __init__(self, address: str) -> None:
        self._database = Database(address)
        self._run = self._database.run
        self._stemmer = Stemmer()

    def __str__(self) -> str:
        """Return where it is, without the password."""
        return str(self._database)

    @classmethod
    def create(cls, address: str) -> Self:
        """Open an index, or make an empty one.

        Raises:
            ArtifactError: The database cannot be used, or the index is of another version.
        """
        index = cls(address)
        try:
            with index._database.said(), index._database.connection.transaction():
                # Two that make it at once: the second waits and finds it made.
                index._run("select pg_advisory_xact_lock(hashtext(%s))", index._database.schema)
                if not index._is_there():
                    index._run("create extension if not exists vector with schema public")
                    index._run(f"create schema {index._database.schema}")
                    for statement in TABLES.split(";\n"):
                        index._run(statement)
                    index._run("insert into about values ('schema', %s), ('changes', '0')", SCHEMA)
        except BaseException:
            index.close()
            raise
        return cls._checked(index)

    @classmethod
    def open(cls, address: str) -> Self:
        """Open an index.

        Raises:
            ArtifactError: There is none, the database cannot be used, or the index is of another version.
        """
        index = cls(address)
        try:
            if not index._is_there():
                raise ArtifactError(f"there is no index {index}", do=f"makar index DOCUMENTS -o '{index}'")
            return cls._checked(index)
        except BaseException:
            index.close()
            raise

    @classmethod
    def _checked(cls, index: Self) -> Self:
        version = index.about("schema")
        if version != SCHEMA:
            index.close()
            raise ArtifactError(
                f"{index} has the schema {version}", expected=SCHEMA, do="index the documents again under a new name"
            )
        return index

    def _is_there(self) -> bool:
        return self._run("select 1 from pg_namespace where nspname = %s", self._database.schema).fetchone() is not None

    def close(self) -> None:
        """Close the connection of this thread."""
        self._database.close()

    def known(self) -> dict[str, Known]:
        """Return what is kept of every document, by name."""
        rows = self._run("select name, id, size, modified, sha256 from documents")
        return {
            name: Known(id=id_, size=size, modified=modified, sha256=sha) for name, id_, size, modified, sha in rows
        }

    def about(self, name: str) -> str | None:
        """Return what is noted under a name."""
        row = self._run("select value from about where name = %s", name).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Note something under a name."""
        with self._database.writing():
            self._run(
                "insert into about values (%s, %s) on conflict (name) do update set value = excluded.value", name, value
            )

    def counts(self) -> tuple[int, int]:
        """Return the number of documents and of passages."""
        row = self._run("select (select count(*) from documents), (select count(*) from passages)").fetchone()
        return int(row[0]), int(row[1])

    def replace(
        self, name: str, found: Sequence[Passage], *, title: str, size: int, modified: int, sha256: str, form: str
    ) -> None:
        """Put a document in; see ``Index``."""
        columns = [
            tuple(part.replace("\0", " ") for part in (title, passage.heading, passage.text)) for passage in found
        ]
        cut = self._stemmer.terms([part for row in columns for part in row])
        with self._database.writing():
            self._run("delete from documents where name = %s", name)
            document = self._run(
                "insert into documents(name, title, size, modified, sha256, form) values (%s, %s, %s, %s, %s, %s) returning id",
                *(name, title, size, modified, sha256, form),
            ).fetchone()[0]
            numbers: list[int] = []
            for place, (passage, row) in enumerate(zip(found, columns, strict=True)):
                grams = grams_of(row[2]) if has_grams(row[2]) else Counter[str]()
                values = (document, place, passage.start, passage.end, passage.page, *row)
                lengths = (sum(map(len, cut[3 * place : 3 * place + 3])), grams.total())
                numbers.append(
                    self._run(
                        "insert into passages(document, place, start, finish, page, title, heading, text, terms, grams)"
                        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id",
                        *(*values, *lengths),
                    ).fetchone()[0]
                )
                self._database.copy(
                    "grams(gram, passage, times)", ((gram, numbers[-1], times) for gram, times in grams.items())
                )
            self._database.copy("postings(term, passage, places)", _postings(numbers, cut))

    def touch(self, name: str, *, size: int, modified: int) -> None:
        """Keep that a file was written again with the same content."""
        with self._database.writing():
            self._run("update documents set size = %s, modified = %s where name = %s", size, modified, name)

    def remove(self, name: str) -> None:
        """Take a document out, with everything that belongs to it; one that is not there is passed over."""
        with self._database.writing():
            self._run("delete from documents where name = %s", name)

    def lexical(
        self, phrases: Sequence[Phrase], *, limit: int, grams: bool = False, documents: Collection[str] | None = None
    ) -> list[int]:
        """Return passages that hold any of some phrases; see ``Index``."""
        parts: list[str] = []
        values: list[Any] = []
        for number, phrase in enumerate(phrases):
            if grams:
                terms = [phrase[0].lower()]
                parts.append(f"select {number} as phrase, passage, times from grams where gram = %s")
            else:
                # A word with an underscore is two words side by side to the tokenizer.
                terms = [term[:LONGEST_TERM] for found in self._stemmer.terms(phrase) for term in found]
                if not terms:
                    continue
                parts.append((ONE_WORD if len(terms) == 1 else side_by_side(len(terms))).format(number=number))
            values += terms
        if not parts:
            return []
        only = ""
        if documents is not None:
            only, values = "where documents.name = any(%s)", [*values, list(documents)]
        statement = BEST.format(
            parts=" union all ".join(parts), only=only, length="passages.grams" if grams else "passages.terms"
        )
        return [int(row[0]) for row in self._run(statement, *values, limit)]

    def holding(self, pieces: Sequence[str], *, limit: int, documents: Collection[str] | None = None) -> list[int]:
        """Return the passages in scripts without spaces that hold any of some pieces; see ``Index``."""
        held = " + ".join(["(position(%s in text) > 0)::integer"] * len(pieces))
        only, names = ("", []) if documents is None else (" and name = any(%s)", [list(documents)])
        rows = self._run(
            f"select id from (select passages.id, {held} as held from passages join documents on documents.id = document"
            f" where passages.grams > 0{only}) as counted where held > 0 order by held desc, id limit %s",
            *(*pieces, *names, limit),
        )
        return [int(row[0]) for row in rows]

    def passages_of(self, documents: Collection[str]) -> list[int]:
        """Return the numbers of the passages of documents, in their order."""
        rows = self._run(
            "select passages.id from passages join documents on documents.id = document where name = any(%s)"
            " order by document, place",
            list(documents),
        )
        return [int(row[0]) for row in rows]

    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """Return in how many passages each term is; terms that are nowhere are left out."""
        cut = {term: term[:LONGEST_TERM] for term in terms}
        rows = self._run("select term, count(*) from postings where term = any(%s) group by term", list(cut.values()))
        counts = {str(term): int(count) for term, count in rows}
        return {term: counts[kept] for term, kept in cut.items() if kept in counts}

    def stored(self, numbers: Sequence[int]) -> list[Stored]:
        """Return passages by their numbers, in the order of these; what is not there any more is left out."""
        rows = self._run(
            "select passages.id, name, place, start, finish, page, heading, text from passages"
            " join documents on documents.id = document where passages.id = any(%s)",
            list(map(int, numbers)),
        )
        found = {
            number: Stored(
                id=number,
                document=name,
                place=place,
                passage=Passage(start=begin, end=end, heading=heading, page=page, text=text),
            )
            for number, name, place, begin, end, page, heading, text in rows
        }
        return [found[number] for number in numbers if number in found]

    def around(self, document: str, start: int, end: int, *, most: int) -> list[Stored]:
        """Return the passages around a place; see ``Index``."""
        first, last = self._run(
            "select min(place), max(place) from passages join documents on documents.id = document"
            " where name = %s and start < %s and finish > %s",
            *(document, max(end, start + 1), start),
        ).fetchone()
        if first is None:
            return []
        rows = self._run(
            "select passages.id from passages join documents on documents.id = document"
            " where name = %s and place between %s and %s order by place limit %s",
            *(document, first - 1, last + 1, most),
        )
        return self.stored([int(row[0]) for row in rows])

    def without_vectors(self, model: str, *, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Return passages without a vector of a model; see ``Index``."""
        rows = self._run(
            "select id, title, heading, text from passages where id > %s and not exists"
            " (select 1 from vectors where model = %s and passage = passages.id) order by id limit %s",
            *(after, model, limit),
        )
        return [(int(number), "\n".join(filter(None, parts))) for number, *parts in rows]

    def add_vectors(self, model: str, numbers: Sequence[int], vectors: Float[np.ndarray, "count width"]) -> None:
        """Keep vectors; see ``Index``."""
        rows = units(model, vectors)
        with self._database.writing(), self._database.connection.cursor() as cursor:
            # A passage may have gone in the meantime.
            cursor.executemany(
                "insert into vectors(model, passage, vector) select %s, id, %s::halfvec from passages where id = %s"
                " on conflict (model, passage) do update set vector = excluded.vector",
                [(model, _written(row), int(number)) for number, row in zip(numbers, rows, strict=True)],
            )

    def vectors(self, model: str) -> tuple[Int64[np.ndarray, " count"], Float32[np.ndarray, "count width"]]:
        """Return numbers and vectors of all passages of a model, in the order of the numbers."""
        rows = self._run(
            "select passage, vector::real[] from vectors where model = %s order by passage", model
        ).fetchall()
        numbers = np.array([row[0] for row in rows], np.int64)
        return numbers, np.array([row[1] for row in rows], np.float32).reshape(len(rows), -1 if rows else 0)

    def nearest(
        self,
        model: str,
        vector: Float32[np.ndarray, " width"],
        *,
        limit: int,
        documents: Collection[str] | None = None,
    ) -> list[int]:
        """Return the nearest passages; see ``Index``."""
        width = len(vector)
        # The graph is looked at only where its expression is written as it was when it was made.
        distance = f"(vector::halfvec({width})) <#> %s::halfvec({width})"
        values: list[Any] = [model]
        only = ""
        if documents is not None:
            only = " and passage in (select passages.id from passages join documents on documents.id = document where name = any(%s))"
            values.append(list(documents))
        with self._database.said(), self._database.connection.transaction():
            self._run(f"set local hnsw.ef_search = {min(1000, max(256, 2 * limit))}")
            rows = self._run(
                f"select passage from vectors where model = %s{only} order by {distance}, passage limit %s"
                if documents is not None or not self._has_graph(model)
                else f"select passage from vectors where model = %s order by {distance} limit %s",
                *(*values, _written(vector), limit),
            ).fetchall()
        return [int(row[0]) for row in rows]

    def build_graph(self, model: str) -> bool:
        """Make pgvector's graph from ``LEAST`` vectors on (Malkov and Yashunin 2018, arXiv 1603.09320: HNSW)."""
        if self._has_graph(model):
            return True
        row = self._run(
            "select count(*), coalesce(min(vector_dims(vector)), 0) from vectors where model = %s", model
        ).fetchone()
        if row[0] < LEAST or not 0 < row[1] <= WIDEST_GRAPH:
            return False
        with self._database.writing():
            # Statements that define take no values: the name is written by the database's own rule.
            name, said = self._run("select quote_ident(%s), quote_literal(%s)", self._graph(model), model).fetchone()
            self._run(
                f"create index if not exists {name} on vectors using hnsw ((vector::halfvec({int(row[1])})) halfvec_ip_ops)"
                f" where model = {said}"
            )
        return True

    def _graph(self, model: str) -> str:
        import hashlib

        return f"graph_{hashlib.sha256(model.encode()).hexdigest()[:16]}"

    def _has_graph(self, model: str) -> bool:
        found = self._run(
            "select 1 from pg_indexes where schemaname = %s and indexname = %s",
            self._database.schema,
            self._graph(model),
        )
        return found.fetchone() is not None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make everything that is written inside one transaction."""
        with self._database.writing():
            yield


def grams_of(text: str) -> Counter[str]:
    """Return how often each group of three characters is in a text, as SQLite's tokenizer ``trigram`` cuts it.

    >>> sorted(grams_of("Tokyo"))
    ['kyo', 'oky', 'tok']
    """
    small = text.lower()
    return Counter(small[start : start + 3] for start in range(len(small) - 2))


def _postings(numbers: Sequence[int], cut: Sequence[Sequence[str]]) -> Iterator[tuple[str, int, list[int]]]:
    """Yield every term of every passage with its places; those of title, heading and text are far apart."""
    for place, number in enumerate(numbers):
        places: dict[str, list[int]] = defaultdict(list)
        for column, terms in enumerate(cut[3 * place : 3 * place + 3]):
            for at, term in enumerate(terms):
                places[term[:LONGEST_TERM]].append(column * COLUMN_STEP + at)
        for term, found in places.items():
            yield term, number, found


def _written(vector: np.ndarray) -> str:
    return "[" + ",".join(map(repr, np.asarray(vector, np.float32).tolist())) + "]"
