"""Built-in data that is computed and lies in no file: so many documents of each kind, by turns, in the public domain."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from makar.data.document import Document, Found, Skip, Source

LICENCE = "CC0-1.0"


class ComputedSource(Source, abc.ABC):
    """One document for every number of every kind."""

    kinds: ClassVar[Sequence[Any]]
    """What there is, in the order in which it follows each other."""

    each: ClassVar[int]
    """Documents of a kind."""

    size_bytes: ClassVar[int]
    """Of all, about."""

    note: ClassVar[str]
    """What ``inspect`` says of them."""

    follows_from: ClassVar[str]
    """All that they are computed from; another text means other data."""

    def __init__(self) -> None:
        self.found = Found(
            files={self.medium: self.each * len(self.kinds)},
            bytes={self.medium: self.size_bytes},
            licences=[{"licence": LICENCE, "stated_in": "makar", "how": "built in"}],
            notes=[self.note],
        )

    @abc.abstractmethod
    def document(self, kind: Any, number: int) -> Document:
        """Return one of them."""

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield documents of all kinds by turns."""
        del skip
        for number in range(self.each):
            for kind in self.kinds:
                yield self.document(kind, number)

    def identity(self) -> Iterator[str]:
        """Yield what they follow from."""
        yield self.follows_from
