"""One example: its content, medium, caption, label and target, and where it comes from and under which licence."""

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from makar.data.spoken_times import SpokenTimes

MEDIA = ("text", "code", "image", "molecule", "music", "protein", "sound", "structure", "video")
"""Media that have a reader and a codec."""

WRITTEN = ("text", "code", "molecule", "music", "protein")
"""Media whose content is a ``str``: a text, or a line in a notation of its own."""

WORDED = ("text", "code", "music")
"""Media that are written in words with spaces between."""

WHOLE = ("image", "molecule", "music", "protein", "sound", "structure", "video")
"""Media whose items are never cut: a part of one is none."""

UNKNOWN_LICENCE = "NOASSERTION"
"""The SPDX word for a licence that nobody stated."""

Split = Literal["train", "inner", "held_out"]
"""``train`` is learned from; ``inner`` is cut from the training part and chooses the best weights; ``held_out`` is for the report."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One example.

    Attributes:
        id: First 16 hexadecimal digits of the sha256 of the content.
        medium: One of ``MEDIA``.
        content: ``str`` for text, code, molecules (SMILES) and music (``makar.data.score``); ``numpy.uint8`` array ``[height, width,
            channels]`` with 1, 3 or 4 channels for images; a ``Sound`` (``makar.data.sound``); a ``Clip`` (``makar.data.clip``); a
            ``Backbone`` (``makar.data.backbone``).
        pair: The content that this one is to be made from, where the data holds pairs; an array like ``content``.
        times: When each phone or word of a recording is spoken (``makar.data.spoken_times``), where somebody says.
        document: Name of the whole document this is a part of; every part of a document is in the same split.
        source: Where it was found, relative to the data set, ``archive.zip!/inner.png`` inside archives.
        split: The part of the data set it belongs to.
        caption: Free text that describes it.
        label: Name of its class.
        roles: What the columns of a row of a labelled table hold, by role; see ``makar.data.task_rows``. ``None`` elsewhere.
        properties: Numbers that are known of it, by name; ``None`` where there are none.
        licence: SPDX identifier, ``NOASSERTION`` when unknown.
        consent: ``"granted"``, ``"refused"`` or ``"unknown"``.
        language: ISO 639-1 code for text, lower-case name for code, ``None`` when unknown.
    """

    id: str
    medium: str
    content: Any
    document: str
    source: str
    split: Split
    pair: Any = None
    times: SpokenTimes | None = None
    caption: str | None = None
    label: str | None = None
    roles: Mapping[str, Any] | None = None
    properties: Mapping[str, float] | None = None
    licence: str = UNKNOWN_LICENCE
    consent: str = "unknown"
    language: str | None = None


class Records(Iterator[Record]):
    """The records of a split, one after the other; those that are left can be had without decoding the content of all."""

    @abc.abstractmethod
    def documents(self) -> Iterator[tuple[Record, Iterator[Record]]]:
        """Yield every document that has not come yet, as a record without content and id, and its records, read when asked for."""

    def without_content(self) -> Iterator[Record]:
        """Yield one record for every document that has not come yet: label, caption, licence and names; no content and no id."""
        for record, _ in self.documents():
            yield record


def documents_of(records: Iterator[Record]) -> Iterator[tuple[Record, Iterator[Record]]]:
    """Yield what is left as ``Records.documents`` does; of any other iterator every record, which is whole already."""
    if isinstance(records, Records):
        yield from records.documents()
    else:
        for record in records:
            yield record, iter((record,))


def is_sampled(position: int) -> bool:
    """Return whether a document belongs to a sample of many: the first 128, and 64 of each time as many as came before, evenly.

    Data is often sorted, by folders or by time, so the first of it alone say little about the rest.

    Args:
        position: Documents before it.

    >>> sum(map(is_sampled, range(128))), sum(map(is_sampled, range(128, 256))), sum(map(is_sampled, range(256, 512)))
    (128, 64, 64)
    """
    return position % (1 << (position // 128).bit_length()) == 0
