"""A whole document as a source finds it, before it is divided into records: a file, a row of a table, one image of an array.

A source can be read again and again and yields the same documents in the same order each time; that order is the key by which the
decisions of the examination (split, duplicate, unreadable) are kept, one byte a document. The content is read only when ``read``
is called, so that a pass over one split does not decode the images of the others.
"""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from makar.data.record import UNKNOWN_LICENCE
from makar.data.spoken_times import SpokenTimes

Skip = Callable[[str, str], None]
"""Called with a source and a reason for everything that is found and not used."""

Progress = Callable[[str, int, int | None], None]
"""Called with the stage, what is done and the total, ``None`` when unknown."""


@dataclasses.dataclass(kw_only=True, slots=True)
class Document:
    """One whole document.

    Attributes:
        name: Unique name within the data set.
        read: Returns the content: an iterator of parts of at most about a megabyte for text and code, pixels
            ``uint8 [height, width, channels]`` for images. Valid until the next document is asked for. Raises ``DataError``.
        official: ``"train"``, ``"validation"`` or ``"test"`` where the data says so.
        read_times: Returns when what is spoken in the recording (``SpokenTimes``), where somebody says. Raises ``DataError``.
        read_pair: Returns the image that this one is to be made from, where the data holds pairs. Raises ``DataError``.
        group: What this document and another that belongs to it are called; they are always in the same part.
        is_alone: Whether it lies among pairs and has no partner.
        roles: What the columns of a row of a labelled table hold, by role.
        properties: Numbers that the row says of it, by name.
    """

    name: str
    read: Callable[[], Any]
    official: str | None = None
    read_pair: Callable[[], Any] | None = None
    read_times: Callable[[], SpokenTimes] | None = None
    group: str | None = None
    is_alone: bool = False
    caption: str | None = None
    label: str | None = None
    licence: str = UNKNOWN_LICENCE
    consent: str = "unknown"
    language: str | None = None
    roles: Mapping[str, Any] | None = None
    properties: Mapping[str, float] | None = None


@dataclasses.dataclass(kw_only=True)
class Found:
    """What a source consists of, counted before anything is decided.

    Attributes:
        files: Number of files by format.
        bytes: Number of bytes by format.
        licences: Rows of the ledger: licence, where it is stated, how.
        pair_names: What the images of pairs lie in, folders or columns: the one to make from, then the one to be made.
        task: The task of language that every table is labelled for; empty where there is none, or more than one.
        roles: The column of each role of that task.
        notes: Things a reader should know: chosen columns, encodings.
        warnings: Things that went wrong without stopping the work.
    """

    files: dict[str, int] = dataclasses.field(default_factory=dict)
    bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    licences: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    pair_names: tuple[str, ...] = ()
    task: str = ""
    roles: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def count(self, form: str, size_bytes: int) -> None:
        """Count one file of a format."""
        self.files[form] = self.files.get(form, 0) + 1
        self.bytes[form] = self.bytes.get(form, 0) + size_bytes

    def warn(self, warning: str) -> None:
        """Keep a warning once, and at most a hundred."""
        if warning not in self.warnings and len(self.warnings) < 100:
            self.warnings.append(warning)


class Source(abc.ABC):
    """Where documents come from."""

    name: str
    medium: str
    found: Found

    @abc.abstractmethod
    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield every document in a fixed order; what cannot be used goes to ``skip``."""

    def listing(self) -> str | None:
        """Return a hash that changes whenever the content may have, found without reading it; ``None`` where there is none."""
        return None

    def reading(self) -> str:
        """Return what of the first look decides how documents are read; with ``listing`` it fixes what an examination finds."""
        return self.medium

    @abc.abstractmethod
    def identity(self) -> Iterator[str]:
        """Yield lines that change when and only when the content changes; they make up the fingerprint."""
