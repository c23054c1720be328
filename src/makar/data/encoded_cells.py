"""Files in the cells of a table: images, sounds and videos as bytes, as the Hugging Face pair of bytes and path, or in base64.

What a cell holds is told by its first bytes, as of files (``makar.data.sniffing``), never by the name of its column. Base64 stands in
tables of text (JSON lines, CSV), bare or behind ``data:audio/wav;base64,``. Only the beginning of a cell is decoded until it is read.
"""

import base64
import binascii
import dataclasses
import re
from collections import Counter
from typing import Any

from makar.data.sniffing import HEAD_BYTES, IMAGE_SUFFIXES, Kind, sniff
from makar.errors import DataError

ENCODED = ("image", "sound", "video")
"""Media that a cell may hold as a file."""

USUAL_NAMES = {
    "image": ("image", "img", "photo", "picture", "pixels"),
    "sound": ("audio", "sound", "speech", "wav"),
    "video": ("video", "clip", "film"),
}
"""Of several columns of one medium the one of these names is the content."""

SHORTEST_BASE64 = 48
"""Characters below which a column of words is one; the shortest file of these media has more."""

_PREFIX = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]+={0,2}\s*")
_HEAD_CHARACTERS = HEAD_BYTES // 3 * 4
_LINE_ENDS = {ord("\r"): None, ord("\n"): None}

Payload = bytes | str
"""The file itself, or its base64."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileColumn:
    """The column of a table that holds the content as files: its name and medium, ``None`` where there is none; and all that hold files."""

    content: str | None
    medium: str
    columns: tuple[str, ...]


def file_column(values: dict[str, list[Any]], wanted: str | None) -> FileColumn:
    """Find the column of files that is the content: of the medium with the most bytes, or of the one that is wanted.

    Args:
        values: Some cells of every column, none empty.
        wanted: A medium; ``None`` takes any.
    """
    media = {name: medium for name, cells in values.items() if (medium := medium_of_cells(cells, wanted)) is not None}
    fitting = [name for name, medium in media.items() if wanted in (None, medium)]
    if not fitting:
        return FileColumn(content=None, medium="", columns=tuple(media))
    medium = media[max(fitting, key=lambda name: sum(map(size_of_cell, values[name])))]
    same = [name for name in fitting if media[name] == medium]
    named = [name for usual in USUAL_NAMES[medium] for name in same if str(name).lower() == usual]
    return FileColumn(content=(named or same)[0], medium=medium, columns=tuple(media))


def payload_of(value: Any) -> Payload | None:
    """Return what a cell holds where that may be a file, ``None`` where there is nothing or something else."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes | str) and value else None


def content_of(payload: Payload) -> bytes:
    """Return the bytes of a file in a cell.

    Raises:
        DataError: It is damaged base64.
    """
    if isinstance(payload, bytes):
        return payload
    try:
        return base64.b64decode(_bare(payload).translate(_LINE_ENDS), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"a cell of {len(payload)} characters that begins {payload[:24]!r} is damaged base64: {error}",
            expected="the whole file in base64, with or without data:TYPE;base64, before it",
        ) from error


def kind_of(payload: Payload) -> Kind | None:
    """Return what is in a cell by its first bytes, ``None`` of text that is no base64."""
    if isinstance(payload, bytes):
        return sniff("", payload[:HEAD_BYTES])
    start = _bare(payload[: 2 * _HEAD_CHARACTERS])
    if not _BASE64.fullmatch(start):
        return None
    whole = start.translate(_LINE_ENDS)[:_HEAD_CHARACTERS].rstrip("=")
    return sniff("", base64.b64decode(whole[: len(whole) // 4 * 4]))


def medium_of_cells(cells: list[Any], wanted: str | None = None) -> str | None:
    """Return the medium of the files in a column, ``None`` where it holds none.

    Args:
        cells: Some cells, none empty. Of bytes one file is enough, for nothing else is bytes; of texts half must be files.
        wanted: Where this is ``image``, the first picture of an animation is one.
    """
    media: Counter[str] = Counter()
    for cell in cells:
        payload = payload_of(cell)
        kind = None if payload is None else kind_of(payload)
        is_word = isinstance(payload, str) and len(payload) < SHORTEST_BASE64
        if kind is not None and kind.group in ENCODED and not is_word:
            media["image" if wanted == "image" and kind.form in IMAGE_SUFFIXES else kind.group] += 1
    is_text = any(isinstance(cell, str) for cell in cells)
    if not media or (is_text and 2 * media.total() < len(cells)):
        return None
    return media.most_common(1)[0][0]


def size_of_cell(value: Any) -> int:
    """Return about how many bytes a cell holds as a file or a text."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return len(value) if isinstance(value, bytes | str) else 0


def _bare(text: str) -> str:
    found = _PREFIX.match(text)
    return text[found.end() :] if found else text
