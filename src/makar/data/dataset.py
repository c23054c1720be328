"""A data set: any source opened, examined once, and read as records of a split as often as wanted, without holding it.

Three passes over the data: what is there (``inventory``), what is in it (``examination``), then one for each split that is read.
The verdict on each document is one byte, kept by its place in the order of the source; a source that changes between passes is
noticed by count and hash.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from makar.data.document import Document, Progress, Source
from makar.data.examination import Examination, examine
from makar.data.files_source import FilesSource
from makar.data.inspection import Inspection, make_inspection
from makar.data.memory_source import ArraySource, ListSource
from makar.data.record import MEDIA, Record, Split
from makar.data.splitting import CUT, HELD_OUT, INNER, TRAIN, Decision, decide
from makar.data.text_stream import divided, parts
from makar.errors import ConfigError, DataError, EmptyDataError, UnknownNameError

READING_VERSION = 1
"""Part of every fingerprint; raised when the same files come out as other records."""

SPLIT_CODES: dict[str, int] = {"train": TRAIN, "inner": INNER, "held_out": HELD_OUT}
SLACK_CHARACTERS = 2000
BUILT_IN_PREFIX = "builtin:"


class DataSet:
    """Records of one medium in three splits. Made by ``open_dataset``."""

    def __init__(
        self, source: Source, *, seen: Examination, decision: Decision, inspection: Inspection, fingerprint: str
    ) -> None:
        self.name = source.name
        self.medium = source.medium
        self.inspection = inspection
        self.fingerprint = fingerprint
        self._source = source
        self._seen = seen
        self._decision = decision

    def records(self, split: Split) -> Iterator[Record]:
        """Yield the records of a split, always in the same order, reading as it goes.

        Args:
            split: ``"train"``, ``"inner"`` or ``"held_out"``.

        Raises:
            UnknownNameError: There is no such split.
            DataError: The data changed since it was examined.
        """
        if split not in SPLIT_CODES:
            raise UnknownNameError("split", split, SPLIT_CODES)
        codes, wanted = self._decision.codes, SPLIT_CODES[split]
        index = -1
        for index, document in enumerate(self._source.documents(lambda source, reason: None)):
            if index >= len(codes):
                break
            if codes[index] == wanted:
                yield from self._whole(document, index, split)
            elif codes[index] == CUT:
                yield from self._stretch(document, index, split)
        if index + 1 != len(codes):
            raise DataError(
                f'"{self.name}" changed while it was read: {index + 1} documents, {len(codes)} when it was examined',
                do="run the command again when nothing writes into the data",
            )

    def _whole(self, document: Document, index: int, split: Split) -> Iterator[Record]:
        try:
            if self.medium == "image":
                pixels = document.read()
                yield self._record(document, index, split, pixels, pixels.tobytes())
            else:
                for part in document.read():
                    yield self._record(document, index, split, part, part.encode("utf-8", "replace"))
        except DataError as error:
            raise DataError(f"{document.name} changed while the data was read: {error.came}") from error

    def _stretch(self, document: Document, index: int, split: Split) -> Iterator[Record]:
        places = self._decision.places[index]
        shortest = min(places[1] - places[0], int(self._seen.sizes[index]) - places[1]) // 2
        if places[1] == int(self._seen.sizes[index]):
            shortest = (places[1] - places[0]) // 2
        pieces = divided(document.read(), places, slack=max(0, min(SLACK_CHARACTERS, shortest)))
        document.name = f"{document.name} ({split})"
        for part in parts(text for stretch, text in pieces if stretch == SPLIT_CODES[split]):
            yield self._record(document, index, split, part, part.encode("utf-8", "replace"))

    def _record(self, document: Document, index: int, split: Split, content: object, encoded: bytes) -> Record:
        return Record(
            id=hashlib.sha256(encoded).hexdigest()[:16],
            medium=self.medium,
            content=content,
            document=document.name,
            source=document.name.removesuffix(f" ({split})"),
            split=split,
            caption=document.caption,
            label=document.label,
            licence=document.licence,
            consent=document.consent,
            language=document.language or self._seen.language_of(index),
        )


def open_dataset(
    source: str | Path | np.ndarray | list[str],
    *,
    medium: str | None = None,
    held_out_share: float = 0.05,
    progress: Progress | None = None,
) -> DataSet:
    """Open and examine data of any kind.

    Args:
        source: A folder, a file, an archive, ``builtin:NAME``, an array of images ``uint8 [N, height, width, channels]`` or a list
            of texts.
        medium: ``"text"``, ``"code"`` or ``"image"``; by default what most of the files are.
        held_out_share: Share held out for the report where the data itself does not say, above 0 and up to 0.5.
        progress: Called with the stage, what is done and the total (``None`` when unknown).

    Raises:
        EmptyDataError: Nothing usable was found.
        UnsafeArchiveError: The archive has links, escaping names, or expands too far.
        DataError: The data cannot be read or is too little.
        UnknownNameError: No such medium or built-in data set.
    """
    if medium is not None and medium not in MEDIA:
        raise UnknownNameError("medium", medium, MEDIA)
    if not 0 < held_out_share <= 0.5:
        raise ConfigError(f"held_out_share is {held_out_share}", expected="more than 0 and at most 0.5")
    opened, typed = _opened(source, medium, progress)
    seen = examine(opened, progress=progress)
    _check_any(opened, typed, seen)
    decision = decide(
        seen.codes,
        digests=seen.digests,
        sizes=seen.sizes,
        officials=seen.officials,
        pairs=seen.pairs,
        medium=opened.medium,
        held_out_share=held_out_share,
    )
    fingerprint = _fingerprint(opened, held_out_share, progress)
    inspection = make_inspection(
        name=opened.name,
        medium=opened.medium,
        source=typed,
        fingerprint=fingerprint,
        found=opened.found,
        seen=seen,
        decision=decision,
    )
    return DataSet(opened, seen=seen, decision=decision, inspection=inspection, fingerprint=fingerprint)


def _opened(
    source: str | Path | np.ndarray | list[str], medium: str | None, progress: Progress | None
) -> tuple[Source, str]:
    if isinstance(source, np.ndarray):
        if medium not in (None, "image"):
            raise DataError(f"an array cannot be read as {medium}", expected="medium image")
        return ArraySource(source), "array"
    if isinstance(source, list):
        if medium == "image":
            raise DataError("a list of strings cannot be read as image", expected="medium text or code")
        return ListSource(source, medium=medium or "text"), "list"
    typed = str(source)
    if typed.startswith(BUILT_IN_PREFIX):
        from makar.data.builtin.table import built_in_source

        return built_in_source(typed.removeprefix(BUILT_IN_PREFIX), medium=medium), typed
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(f"{typed} does not exist", expected="a folder, a file, an archive or builtin:NAME")
    return FilesSource(path, medium=medium, progress=progress), typed


def _check_any(source: Source, typed: str, seen: Examination) -> None:
    if (seen.codes == TRAIN).any():
        return
    reasons = sorted(seen.skipped.reasons.items(), key=lambda item: -item[1][0])[:3]
    listed = "; ".join(f"{count} x {reason}" for reason, (count, _) in reasons)
    raise EmptyDataError(
        f"nothing in {typed} can be used: {listed or 'it is empty'}",
        expected=f"at least some {source.medium} that can be read",
        do=f"run: makar inspect {typed}",
    )


def _fingerprint(source: Source, held_out_share: float, progress: Progress | None) -> str:
    digest = hashlib.sha256(f"{READING_VERSION}\t{source.medium}\t{held_out_share}\n".encode())
    for count, line in enumerate(source.identity(), start=1):
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        if progress is not None and count % 1000 == 0:
            progress("hashing", count, None)
    return digest.hexdigest()
