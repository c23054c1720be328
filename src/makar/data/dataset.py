"""A data set: any source opened, examined once, and read as records of a split as often as wanted, without holding it.

Three passes over the data: what is there (``inventory``), what is in it (``examination``), then one for each split that is read.
The verdict on each document is one byte, kept by its place in the order of the source; a source that changes between passes is
noticed by count and hash. The second pass is not made again for a source that nobody has touched since (``kept``).
"""

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from makar.data import kept
from makar.data.document import Document, Progress, Source
from makar.data.entries import readable_name
from makar.data.examination import Examination, examine
from makar.data.feedback.source import FEEDBACK_PREFIX, FeedbackSource
from makar.data.files_source import FilesSource
from makar.data.fingerprint import BUILT_IN_PREFIX, HELD_OUT_SHARE, READING_VERSION, fingerprint_of_lines
from makar.data.inspection import Inspection, make_inspection
from makar.data.memory_source import ArraySource, ListSource
from makar.data.record import MEDIA, Record, Records, Split
from makar.data.splitting import CUT, HELD_OUT, INNER, ROWS, TRAIN, Decision, decide, split_of_stretch
from makar.data.task_columns import columns_of
from makar.data.text_stream import divided, parts
from makar.errors import ConfigError, DataError, EmptyDataError, UnknownNameError, UsageError

SPLIT_CODES: dict[str, int] = {"train": TRAIN, "inner": INNER, "held_out": HELD_OUT}
SLACK_CHARACTERS = 2000


class DataSet:
    """Records of one medium in three splits. Made by ``open_dataset``.

    Attributes:
        task: The task of language that the rows are labelled for; empty for none.
        columns: The columns of its roles that were named by hand, as they were typed.
    """

    def __init__(
        self,
        source: Source,
        *,
        seen: Examination,
        decision: Decision,
        inspection: Inspection,
        fingerprint: str,
        held_out_share: float,
        columns: str = "",
    ) -> None:
        self.name = source.name
        self.medium = source.medium
        self.task = source.found.task
        self.columns = columns
        self.inspection = inspection
        self.fingerprint = fingerprint
        self.held_out_share = held_out_share
        self._source = source
        self._seen = seen
        self._decision = decision

    def records(self, split: Split) -> Records:
        """Return the records of a split, always in the same order, read as they are asked for.

        Args:
            split: ``"train"``, ``"inner"`` or ``"held_out"``.

        Raises:
            UnknownNameError: There is no such split.
            DataError: The data changed since it was examined.
        """
        if split not in SPLIT_CODES:
            raise UnknownNameError("split", split, SPLIT_CODES)
        return _SplitRecords(self._documents(split))

    def _documents(self, split: Split) -> Iterator[tuple[Record, Iterator[Record]]]:
        """Yield every document of a split without its content, and its records; nothing is read before those are asked for."""
        codes, wanted = self._decision.codes, SPLIT_CODES[split]
        index = -1
        for index, document in enumerate(self._source.documents(lambda source, reason: None)):
            if index >= len(codes):
                break
            if codes[index] == wanted:
                yield self._record(document, index, split), self._whole(document, index, split)
            elif codes[index] == CUT:
                yield self._record(document, index, split), self._stretch(document, index, split)
        if index + 1 != len(codes):
            raise DataError(
                f'"{self.name}" changed while it was read: {index + 1} documents, {len(codes)} when it was examined',
                do="run the command again when nothing writes into the data",
            )

    def _whole(self, document: Document, index: int, split: Split) -> Iterator[Record]:
        try:
            if self.medium == "image":
                pixels = document.read()
                pair = document.read_pair() if document.read_pair is not None and self._seen.paired[index] else None
                record = self._record(document, index, split, pixels, pixels.tobytes())
                yield record if pair is None else dataclasses.replace(record, pair=pair)
            elif self.medium in ("sound", "structure", "video"):
                times = None if document.read_times is None else document.read_times()
                for piece in document.read():
                    record = self._record(document, index, split, piece, piece.tobytes())
                    yield record if times is None else dataclasses.replace(record, times=times)
            else:
                for part in document.read():
                    yield self._record(document, index, split, part, part.encode("utf-8", "replace"))
        except DataError as error:
            raise DataError(f"{document.name} changed while the data was read: {error.came}") from error

    def _stretch(self, document: Document, index: int, split: Split) -> Iterator[Record]:
        places = self._decision.places[index]
        edges = itertools.pairwise([0, *places, int(self._seen.sizes[index])])
        shortest = min((end - start for start, end in edges if end > start), default=0) // 2
        pieces = divided(document.read(), places, slack=min(SLACK_CHARACTERS, shortest))
        document.name = f"{document.name} ({split})"
        wanted = SPLIT_CODES[split]
        for part in parts(text for stretch, text in pieces if split_of_stretch(stretch, places) == wanted):
            yield self._record(document, index, split, part, part.encode("utf-8", "replace"))

    def _record(
        self, document: Document, index: int, split: Split, content: object = None, encoded: bytes | None = None
    ) -> Record:
        return Record(
            id="" if encoded is None else hashlib.sha256(encoded).hexdigest()[:16],
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
            roles=document.roles,
            properties=document.properties,
        )


class _SplitRecords(Records):
    def __init__(self, documents: Iterator[tuple[Record, Iterator[Record]]]) -> None:
        self._documents = documents
        self._records: Iterator[Record] = iter(())

    def __next__(self) -> Record:
        while True:
            for record in self._records:
                return record
            _, self._records = next(self._documents)

    def documents(self) -> Iterator[tuple[Record, Iterator[Record]]]:
        return self._documents


def open_dataset(
    source: str | Path | np.ndarray | list[str],
    *,
    medium: str | None = None,
    held_out_share: float = HELD_OUT_SHARE,
    columns: str = "",
    progress: Progress | None = None,
) -> DataSet:
    """Open and examine data of any kind.

    Args:
        source: A folder, a file, an archive, ``builtin:NAME``, ``feedback:``, an array of images
            ``uint8 [N, height, width, channels]`` or a list of texts.
        medium: One of ``MEDIA``; by default what most of the files are.
        held_out_share: Share held out for the report where the data itself does not say, above 0 and up to 0.5.
        columns: Which columns of the tables play the roles of a task, ``"source=en,target=de"``; by default by their names.
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
    opened, typed = _opened(source, medium, columns, progress)
    seen, fingerprint = _examined(opened, held_out_share, columns, progress)
    _check_any(opened, typed, seen)
    try:
        decision = decide(
            seen.codes,
            digests=seen.digests,
            sizes=seen.sizes,
            officials=seen.officials,
            pairs=seen.pairs,
            groups=seen.groups,
            medium=ROWS if opened.found.task else opened.medium,
            held_out_share=held_out_share,
        )
    except DataError as error:
        # Nobody can inspect this data either, so what was left out is said here.
        left_out = _left_out(seen)
        came = f"{error.came}; not used: {left_out}" if left_out else error.came
        raise DataError(came, expected=error.expected, do=error.do) from error
    inspection = make_inspection(
        name=opened.name,
        medium=opened.medium,
        source=typed,
        fingerprint=fingerprint,
        found=opened.found,
        seen=seen,
        decision=decision,
    )
    return DataSet(
        opened,
        seen=seen,
        decision=decision,
        inspection=inspection,
        fingerprint=fingerprint,
        held_out_share=held_out_share,
        columns=columns,
    )


def _opened(
    source: str | Path | np.ndarray | list[str], medium: str | None, columns: str, progress: Progress | None
) -> tuple[Source, str]:
    by_hand = columns_of(columns)
    if by_hand and (not isinstance(source, str | Path) or str(source).startswith((BUILT_IN_PREFIX, FEEDBACK_PREFIX))):
        raise UsageError(f"columns {columns} of data that has none", expected="a table, or a folder of them")
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
    if typed.startswith(FEEDBACK_PREFIX):
        said = FeedbackSource(typed.removeprefix(FEEDBACK_PREFIX), medium=medium)
        return said, said.lasting
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"{readable_name(typed)} does not exist", expected="a folder, a file, an archive or builtin:NAME"
        )
    if readable_name(str(path.absolute())) != os.fspath(path.absolute()):
        raise DataError(
            f"the path {readable_name(str(path.absolute()))} is not UTF-8, so no plan can name it",
            expected="a source whose own path is UTF-8; the files inside may have any name",
            do="rename the folder or file",
        )
    return FilesSource(path, medium=medium, by_hand=by_hand, progress=progress), typed


def _check_any(source: Source, typed: str, seen: Examination) -> None:
    if (seen.codes == TRAIN).any():
        return
    raise EmptyDataError(
        f"nothing in {typed} can be used: {_left_out(seen) or 'it is empty'}",
        expected=f"at least some {source.medium} that can be read",
        do=f"add {source.medium}, or repair what is named above",
    )


def _left_out(seen: Examination) -> str:
    reasons = sorted(seen.skipped.reasons.items(), key=lambda item: -item[1][0])[:5]
    return "; ".join(f"{count} x {reason} ({examples[0]})" for reason, (count, examples) in reasons)


def _examined(
    source: Source, held_out_share: float, columns: str, progress: Progress | None
) -> tuple[Examination, str]:
    """Return what is known of every document and the fingerprint: as they were found, where nothing was touched since."""
    listing = source.listing()
    examination_key = kept.key_of("examination", READING_VERSION, listing, source.reading())
    fingerprint_key = kept.key_of("fingerprint", READING_VERSION, listing, source.medium, held_out_share, columns)
    known = kept.load_examination(examination_key) if listing is not None else None
    fingerprint = kept.load_fingerprint(fingerprint_key) if listing is not None else None
    if known is not None:
        seen, warnings = known
        for warning in warnings:
            source.found.warn(warning)
        if progress is not None:
            progress("reading", len(seen.codes), len(seen.codes))
    else:
        seen = examine(source, progress=progress)
    made = fingerprint or fingerprint_of_lines(
        source.identity(),
        medium=source.medium,
        held_out_share=held_out_share,
        columns=columns,
        progress=progress,
    )
    if listing is not None and (known is None or fingerprint is None) and source.listing() == listing:
        if known is None:
            kept.save_examination(examination_key, seen, source.found.warnings)
        if fingerprint is None:
            kept.save_fingerprint(fingerprint_key, made)
    return seen, made
