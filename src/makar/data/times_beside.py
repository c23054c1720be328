"""The files that say when what is spoken, found by the recordings that they are called after.

``0001.TextGrid``, ``0001.lab`` or ``0001.tsv`` belongs to ``0001.wav`` in the same folder; in another folder, as aligners write them, where
no other recording and no other file of times has this name. Where a recording has several, a TextGrid goes before .lab and .tsv.
"""

import functools
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from makar.data.entries import Entry
from makar.data.label_file import times_of_labels
from makar.data.praat_text import times_of_textgrid
from makar.data.sniffing import LABELS_FORM, TEXTGRID_FORM
from makar.data.spoken_times import SpokenTimes
from makar.data.text_stream import decoded
from makar.errors import DataError

FORMS = (TEXTGRID_FORM, LABELS_FORM)
FILE_LIMIT_BYTES = 4 << 20
HELD_LIMIT_BYTES = 256 << 20
"""Of files inside archives, which cannot be looked up later."""


class TimesBeside:
    """Files of times, gathered in the first pass and looked up in the later ones."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, str, Path | bytes]] = {}
        self._stems: set[str] = set()
        self._recordings: Counter[str] = Counter()
        self._named: dict[str, list[str]] = {}
        self._held_bytes = 0

    def see_recording(self, name: str) -> None:
        """Remember what a recording is called."""
        self._stems.add(_stem(name))
        self._recordings[PurePosixPath(name).stem] += 1

    def see(self, entry: Entry) -> None:
        """Remember a file of times.

        Raises:
            DataError: It cannot be read or is too long.
        """
        stem = _stem(entry.name)
        known = self._files.get(stem)
        if known is not None and (known[1] == TEXTGRID_FORM or entry.kind.form != TEXTGRID_FORM):
            return
        content: Path | bytes | None = entry.path
        if content is None:
            content = entry.whole(limit_bytes=FILE_LIMIT_BYTES)
            self._held_bytes += len(content)
            if self._held_bytes > HELD_LIMIT_BYTES:
                raise DataError(
                    f"more than {HELD_LIMIT_BYTES >> 20} MB of times in archives", do="unpack the archive first"
                )
        if known is None:
            self._named.setdefault(PurePosixPath(entry.name).stem, []).append(stem)
        self._files[stem] = (entry.name, entry.kind.form, content)

    def belongs(self, name: str) -> bool:
        """Return whether a file has the times of a recording."""
        stem = _stem(name)
        if stem in self._stems:
            return True
        bare = PurePosixPath(name).stem
        return self._named.get(bare) == [stem] and self._recordings[bare] == 1

    def reader(self, name: str) -> Callable[[], SpokenTimes] | None:
        """Return what reads the times of a recording, ``None`` where nobody says any; it raises ``DataError`` that names file and line."""
        stem, bare = _stem(name), PurePosixPath(name).stem
        if stem not in self._files:
            others = self._named.get(bare, [])
            if len(others) != 1 or others[0] in self._stems or self._recordings[bare] != 1:
                return None
            stem = others[0]
        return functools.partial(_read, *self._files[stem])


def _read(name: str, form: str, content: Path | bytes) -> SpokenTimes:
    if isinstance(content, Path):
        try:
            if content.stat().st_size > FILE_LIMIT_BYTES:
                raise DataError(
                    f"{name} line 1: longer than {FILE_LIMIT_BYTES >> 20} MB", expected="times of one recording"
                )
            content = content.read_bytes()
        except OSError as error:
            raise DataError(f"{name} cannot be read: {error.strerror}") from error
    text = "".join(decoded(io.BytesIO(content)))
    return times_of_textgrid(text, name) if form == TEXTGRID_FORM else times_of_labels(text, name)


def _stem(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{PurePosixPath(file).stem}"
