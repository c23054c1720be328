"""What an index can do, wherever it is kept: documents with their passages, the words of these, and vectors.

There are two: one SQLite file (``sqlite_index``), which needs nothing, and a schema of a PostgreSQL database (``postgres_index``), which
many machines can share. Both cut texts into the same words and rank them by the same formula, so a question has the same answer in both.
"""

import abc
import contextlib
import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float, Float32, Int64

from makar.errors import DataError
from makar.retrieval.chunking import Passage

Phrase = tuple[str, ...]
"""Words that stand side by side; one word alone is the usual case."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is kept of a document so that a change is seen: size in bytes, time of the last change in nanoseconds, hash of the content."""

    id: int
    size: int
    modified: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A passage in an index.

    Attributes:
        id: Its number in the index.
        document: Name of its document.
        place: Its number within the document from 0 on.
        passage: Where it is and what it says.
    """

    id: int
    document: str
    place: int
    passage: Passage


class Index(abc.ABC):
    """An index. May be used by several threads and processes; a document comes in or goes out whole."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection of this thread."""

    @abc.abstractmethod
    def known(self) -> dict[str, Known]:
        """Return what is kept of every document, by name."""

    @abc.abstractmethod
    def about(self, name: str) -> str | None:
        """Return what is noted under a name."""

    @abc.abstractmethod
    def note(self, name: str, value: str) -> None:
        """Note something under a name."""

    @abc.abstractmethod
    def counts(self) -> tuple[int, int]:
        """Return the number of documents and of passages."""

    @abc.abstractmethod
    def replace(
        self, name: str, found: Sequence[Passage], *, title: str, size: int, modified: int, sha256: str, form: str
    ) -> None:
        """Put a document in the place of the one of that name, or add it.

        Args:
            name: Its name, unique in the index.
            found: Its passages in order.
            title: What it is called; searched with every passage.
            size: Bytes of the file.
            modified: Time of the last change in nanoseconds.
            sha256: Of the content.
            form: What kind of file it is.
        """

    @abc.abstractmethod
    def touch(self, name: str, *, size: int, modified: int) -> None:
        """Keep that a file was written again with the same content."""

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Take a document out, with everything that belongs to it; one that is not there is passed over."""

    @abc.abstractmethod
    def lexical(
        self, phrases: Sequence[Phrase], *, limit: int, grams: bool = False, documents: Collection[str] | None = None
    ) -> list[int]:
        """Return the numbers of the passages that hold any of some phrases, the best first (BM25 with k1 1.2 and b 0.75).

        Args:
            phrases: Words that stand side by side, each in any of its forms.
            limit: How many at most.
            grams: Each phrase is one group of three characters, which are searched instead of words.
            documents: Names of the only documents that are looked at; ``None`` looks at all.
        """

    @abc.abstractmethod
    def holding(self, pieces: Sequence[str], *, limit: int, documents: Collection[str] | None = None) -> list[int]:
        """Return the numbers of the passages in scripts without spaces that hold any of some pieces, those with the most first.

        Args:
            pieces: Pieces of text; each passage is looked through for them.
            limit: How many at most.
            documents: Names of the only documents that are looked at; ``None`` looks at all.
        """

    @abc.abstractmethod
    def passages_of(self, documents: Collection[str]) -> list[int]:
        """Return the numbers of the passages of documents, in their order."""

    @abc.abstractmethod
    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """Return in how many passages each term is; terms that are nowhere are left out."""

    @abc.abstractmethod
    def stored(self, numbers: Sequence[int]) -> list[Stored]:
        """Return passages by their numbers, in the order of these; what is not there any more is left out."""

    @abc.abstractmethod
    def around(self, document: str, start: int, end: int, *, most: int) -> list[Stored]:
        """Return the passages of a document that hold a place, with the one before and the one behind, in order.

        Args:
            document: Its name.
            start: First character of the place.
            end: Behind its last character.
            most: Passages at most.
        """

    @abc.abstractmethod
    def without_vectors(self, model: str, *, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Return numbers of passages that have no vector of a model yet, each with its heading and text.

        Args:
            model: The model.
            limit: How many at most.
            after: Only passages with a larger number: whoever goes through all need not look at the first ones again and again.
        """

    @abc.abstractmethod
    def add_vectors(self, model: str, numbers: Sequence[int], vectors: Float[np.ndarray, "count width"]) -> None:
        """Keep vectors, brought to length 1, in half precision.

        Raises:
            DataError: Some are not finite or zero.
        """

    @abc.abstractmethod
    def vectors(self, model: str) -> tuple[Int64[np.ndarray, " count"], Float32[np.ndarray, "count width"]]:
        """Return numbers and vectors of all passages of a model, in the order of the numbers."""

    @abc.abstractmethod
    def nearest(
        self,
        model: str,
        vector: Float32[np.ndarray, " width"],
        *,
        limit: int,
        documents: Collection[str] | None = None,
    ) -> list[int]:
        """Return the numbers of the passages whose vectors are nearest to one of length 1, the nearest first.

        Args:
            model: Whose vectors.
            vector: Of length 1.
            limit: How many at most.
            documents: Names of the only documents that are looked at; ``None`` looks at all.
        """

    @abc.abstractmethod
    def build_graph(self, model: str) -> bool:
        """Make what finds the nearest of very many vectors without looking at all, where there are enough; return whether it is there."""

    @abc.abstractmethod
    def together(self) -> contextlib.AbstractContextManager[None]:
        """Make everything that is written inside one transaction: a hundred documents are not much slower than one."""


def units(model: str, vectors: Float[np.ndarray, "count width"]) -> Float[np.ndarray, "count width"]:
    """Return vectors brought to length 1.

    Raises:
        DataError: Some are not finite or zero.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise DataError(f"the model {model} gave a vector that is not finite or zero", expected="vectors of texts")
    found: np.ndarray = vectors / lengths
    return found
