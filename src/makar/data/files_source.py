"""Documents out of files: a text file, a source file, an image, a row of a table, an image of an array."""

import contextlib
import functools
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from makar.data import licences
from makar.data.array_reader import array_rows
from makar.data.document import Document, Found, Progress, Skip, Source
from makar.data.entries import Entry, entries
from makar.data.fingerprint import file_lines
from makar.data.html_text import html_text
from makar.data.image_reader import FILE_LIMIT_BYTES, read_image
from makar.data.inventory import take_inventory
from makar.data.listing import listing
from makar.data.midi import LARGEST_BYTES, read_midi
from makar.data.record import UNKNOWN_LICENCE
from makar.data.row_documents import row_document, task_document
from makar.data.score import notation_of, score_of_midi
from makar.data.sequence_columns import property_name
from makar.data.sniffing import IMAGE_SUFFIXES
from makar.data.sound_reader import WITH_WORDS_SECONDS
from makar.data.split_names import WORDS, official_split_of
from makar.data.spoken_times import SpokenTimes
from makar.data.tables import rows, seekable
from makar.data.text_stream import decoded, parts
from makar.data.times_beside import FORMS as TIMES_FORMS
from makar.data.video_reader import read_numbered
from makar.data.whole_pieces import IN_PIECES, whole_pieces
from makar.errors import DataError

PAGE_LIMIT_BYTES = 64 << 20


class FilesSource(Source):
    """A folder, a file or an archive.

    Args:
        root: Where it is.
        medium: The medium that is wanted; the bulk of the files decides when ``None``.
        by_hand: Columns of the roles of a task in every table, where somebody named them.
        progress: Told how far the first look is.

    Raises:
        EmptyDataError: There is nothing that can be used.
    """

    def __init__(
        self,
        root: Path,
        *,
        medium: str | None = None,
        by_hand: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.root = root
        self.name = root.name.partition(".")[0] if root.is_file() else (root.name or root.resolve().name)
        self._inventory = take_inventory(root, medium=medium, by_hand=by_hand, progress=progress)
        self.medium = self._inventory.medium
        self.found: Found = self._inventory.found
        self._note_task()
        self._note_columns()
        self._note_pairs()
        if self.medium == "video" and self._inventory.stills:
            count = self._inventory.stills
            self.found.notes.append(
                f"{count} picture{'s' * (count > 1)} among the videos: learned as clips of one frame"
            )

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield every document of the medium in a fixed order."""
        inventory = self._inventory
        for entry in entries(self.root, skip):
            kind = entry.kind
            if kind.group == "unread":
                skip(entry.name, kind.form)
            elif entry.name in inventory.unusable:
                skip(entry.name, inventory.unusable[entry.name])
            elif self._medium_of(entry) != self.medium:
                self._skip_other(entry, skip)
            elif kind.group == "table":
                yield from self._table(entry, skip)
            elif kind.group == "array":
                yield from self._arrays(entry, skip)
            elif self.medium == "image":
                yield self._image(entry)
            elif kind.group == "music":
                yield self._piece(entry)
            elif self.medium in IN_PIECES:
                yield self._recording(entry)
            else:
                yield self._text(entry)
        for name, paths in inventory.frames.videos():
            yield self._described_file(name, paths[0].parent, functools.partial(read_numbered, paths))

    def identity(self) -> Iterator[str]:
        """Yield name, size and sha256 of every file."""
        yield from file_lines(self.root)

    def listing(self) -> str | None:
        """Return the hash of names, sizes and times; ``None`` while files are being written."""
        return listing(self.root)

    def reading(self) -> str:
        """Return medium, columns, parts, licences and what is left out."""
        known = self._inventory
        chosen = (known.columns, known.label_names, known.splits, known.licences, known.unusable)
        return repr(
            (self.medium, self.found.task, *(sorted(table.items(), key=lambda item: item[0]) for table in chosen))
        )

    def _medium_of(self, entry: Entry) -> str:
        if entry.kind.group == "table":
            columns = self._inventory.columns.get(entry.name)
            return columns.medium if columns else ""
        if entry.kind.group == "image" and self.medium == "video" and not self._inventory.frames.holds(entry.name):
            # A picture among clips is a clip of one frame.
            return "video"
        is_still = self.medium == "image" and entry.kind.group == "video" and entry.kind.form in IMAGE_SUFFIXES
        return "image" if is_still or entry.kind.group == "array" else entry.kind.group

    def _skip_other(self, entry: Entry, skip: Skip) -> None:
        medium = self._medium_of(entry)
        if medium == "image" and self._inventory.frames.holds(entry.name):
            return
        if entry.kind.form in TIMES_FORMS and self.medium == "sound":
            known = self._inventory.times.belongs(entry.name)
            skip(entry.name, "times of a recording" if known else "times of a recording that is not here")
        elif medium == "text" and self._inventory.captions.is_sidecar(entry.name):
            skip(entry.name, "caption of an image, a sound or a video")
        else:
            skip(entry.name, f"another medium: use --medium {medium}")

    def _official(self, name: str) -> str | None:
        return official_split_of(name, self._inventory.splits)

    def _text(self, entry: Entry) -> Document:
        def read() -> Iterator[str]:
            def warn(what: str) -> None:
                self.found.warn(f"{entry.name}: {what}")

            if entry.kind.form == "html":
                content = entry.whole(limit_bytes=PAGE_LIMIT_BYTES)
                yield from parts(iter([html_text("".join(decoded(io.BytesIO(content), warn=warn)))]))
                return
            with entry.open() as stream:
                yield from parts(decoded(stream, warn=warn))

        return Document(
            name=entry.name,
            read=read,
            official=self._official(entry.name),
            licence=licences.licence_of_header(entry.head) or self._inventory.licence_of(entry.name),
            language=entry.kind.form if entry.kind.group == "code" else None,
        )

    def _piece(self, entry: Entry) -> Document:
        return Document(
            name=entry.name,
            read=lambda: iter([notation_of(score_of_midi(read_midi(entry.whole(limit_bytes=LARGEST_BYTES))))]),
            official=self._official(entry.name),
            label=_folder_of(entry.name),
            licence=self._inventory.licence_of(entry.name),
        )

    def _recording(self, entry: Entry) -> Document:
        read_times = self._inventory.times.reader(entry.name) if self.medium == "sound" else None
        caption = self._inventory.captions.about(entry.name, entry.path).caption
        if read_times is not None and caption is None:
            # What is wrong with times is said where they are read for the recording.
            with contextlib.suppress(DataError):
                times = read_times()
                caption = times.text or None
                if times.end > WITH_WORDS_SECONDS:
                    self.found.warn(f"{entry.name} is cut into pieces, for it is long, and its times are left aside")
                    read_times, caption = None, None
        has_words = read_times is not None or caption is not None
        document = self._described_file(
            entry.name, entry.path, functools.partial(whole_pieces, entry, has_words=has_words)
        )
        document.caption = caption
        if read_times is not None:
            document.read_times = functools.partial(_fitting, read_times, caption)
        return document

    def _described_file(self, name: str, path: Path | None, read: Callable[[], Any]) -> Document:
        """Return the document of a file, or of a folder that stands for one, with what is said about it beside it."""
        about = self._inventory.captions.about(name, path)
        return Document(
            name=name,
            read=read,
            official=about.official or self._official(name),
            caption=about.caption,
            label=about.label,
            licence=licences.licence_named(about.licence) if about.licence else self._inventory.licence_of(name),
            consent=about.consent or "unknown",
        )

    def _image(self, entry: Entry) -> Document:
        pairs = self._inventory.captions.pairs
        partner = None if pairs is None else pairs.partner(entry.name, entry.path)
        made_from = partner if pairs is not None and not pairs.is_first(entry.name) else None
        document = self._described_file(
            entry.name, entry.path, lambda: read_image(entry.whole(limit_bytes=FILE_LIMIT_BYTES))
        )
        document.read_pair = None if made_from is None else functools.partial(_read_file, made_from)
        document.group = None if pairs is None or partner is None else pairs.group(entry.name)
        document.is_alone = pairs is not None and partner is None
        return document

    def _table(self, entry: Entry, skip: Skip) -> Iterator[Document]:
        columns = self._inventory.columns[entry.name]
        official, licence = self._official(entry.name), self._inventory.licence_of(entry.name)
        names = self._inventory.label_names.get(entry.name)
        number = -1
        try:
            for number, row in enumerate(rows(entry, skip, columns=columns.used())):
                place = f"{entry.name}#{number}"
                if self.found.task:
                    document = task_document(place, row, columns, names)
                else:
                    document = row_document(place, row, columns, names)
                if document is None:
                    needed = (
                        ", ".join(columns.task.roles.values()) if self.found.task and columns.task else columns.content
                    )
                    skip(place, f"a row without {needed}")
                    continue
                document.official = document.official or official
                if document.licence == UNKNOWN_LICENCE:
                    document.licence = licence
                yield document
        except DataError as error:
            skip(f"{entry.name}#{number + 1}", f"not read further: {error.came}")

    def _arrays(self, entry: Entry, skip: Skip) -> Iterator[Document]:
        licence = self._inventory.licence_of(entry.name)
        with seekable(entry) as stream:
            for array in self._inventory.arrays[entry.name]:
                place = f"{entry.name}:{array.member}" if array.member else entry.name
                if array.problem:
                    skip(place, array.problem)
                    continue
                try:
                    stream.seek(0)
                    for number, pixels in enumerate(array_rows(stream, entry.kind.form, array)):
                        yield Document(
                            name=f"{place}#{number}",
                            read=functools.partial(np.asarray, pixels),
                            official=array.official or self._official(entry.name),
                            label=None if array.labels is None else str(array.labels[number]),
                            licence=licence,
                        )
                except DataError as error:
                    skip(place, f"not read further: {error.came}")

    def _note_task(self) -> None:
        """Settle the task of the tables: where they differ there is none, and that is said."""
        tables = [columns for columns in self._inventory.columns.values() if columns.medium == self.medium]
        tasks = sorted({columns.task.task if columns.task else "none" for columns in tables})
        has_others = len(tables) < self._inventory.weight.get(self.medium, [0, 0])[0]
        if tasks in ([], ["none"]):
            return
        if len(tasks) > 1 or has_others:
            kinds = ", ".join([*tasks, *(["files without columns"] if has_others else [])])
            self.found.warn(
                f"not all of the data is labelled for one task ({kinds}): it is read as plain {self.medium}"
            )
            return
        self.found.task = tasks[0]
        first = tables[0].task
        assert first is not None
        self.found.roles = dict(first.roles)

    def _note_columns(self) -> None:
        told: dict[str, int] = {}
        for name, columns in self._inventory.columns.items():
            if columns.warning and self.found.task:
                self.found.warn(f"{name}: {columns.warning}")
            if self.found.task and columns.task:
                task = columns.task
                roles = [f'{role} from "{column}"' for role, column in task.roles.items()]
                roles += [f'further targets from "{column}"' for column in task.further]
                parts_played = [f"labelled for the task {task.task}", *roles]
            else:
                parts_played = [f'content from column "{columns.content}"']
            parts_played += [
                f'{part} from "{column}"'
                for part, column in (
                    ("the other image of the pair", columns.pair),
                    ("caption", columns.caption),
                    ("label", None if self.found.task else columns.label),
                    ("split", columns.split),
                )
                if column
            ]
            if columns.properties:
                parts_played.append("properties " + ", ".join(map(property_name, columns.properties)))
            if columns.remark:
                parts_played.append(columns.remark)
            unused = [column for column in columns.available if column not in columns.used()]
            if unused:
                parts_played.append("not used: " + ", ".join(unused[:12]))
            note = "; ".join(parts_played)
            told[note] = told.get(note, 0) + 1
        self.found.notes += [f"{count} table{'s' * (count > 1)}: {note}" for note, count in list(told.items())[:20]]

    def _note_pairs(self) -> None:
        pairs = self._inventory.captions.pairs
        named = {(columns.pair, columns.content) for columns in self._inventory.columns.values() if columns.pair}
        if pairs is not None:
            self.found.pair_names = (pairs.first, pairs.second)
        elif named:
            first, second = sorted(named, key=str)[0]
            self.found.pair_names = (str(first), second)


def _fitting(read: Callable[[], SpokenTimes], text: str | None) -> SpokenTimes:
    times = read()
    times.check_text(text)
    return times


def _read_file(path: Path) -> np.ndarray:
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise DataError(f"longer than {FILE_LIMIT_BYTES >> 20} MB, too long to be read whole")
        return read_image(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}") from error


def _folder_of(name: str) -> str | None:
    """Return what a piece is called by the folder that it lies in: its style, where several folders lie side by side."""
    folders = [
        part for part in name.replace("!/", "/").split("/")[:-1] if part.lower() not in WORDS and part.lower() != "midi"
    ]
    return "_".join(folders[-1].split()) if folders else None
