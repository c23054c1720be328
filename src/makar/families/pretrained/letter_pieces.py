"""The alphabet of a SentencePiece model whose pieces are single letters, read without its library.

The file is a message of protocol buffers: every piece is a field of it with the text and the kind; the model's own settings say what a
piece is (Kudo and Richardson 2018, arXiv 1808.06226; sentencepiece_model.proto). A text is brought into compatibility form, runs of spaces
become one, a space is put before it, and every letter is a piece.
"""

import struct
import unicodedata
from collections.abc import Iterator
from typing import Any, Self

from makar.errors import ArtifactError, UnsupportedError

PIECES, TRAINER = 1, 2
TEXT, KIND, MODEL_TYPE = 1, 3, 3
NORMAL, UNKNOWN_KIND, LETTERS = 1, 2, 4
SPACE = "\u2581"
LARGEST_BYTES = 16 << 20


class LetterPieces:
    """Turns a text into the numbers of its letters.

    Args:
        numbers: Number of every letter, of the space as ``SPACE``.
        unknown: Number of what is none of them.
    """

    def __init__(self, numbers: dict[str, int], *, unknown: int) -> None:
        self.letters = frozenset(numbers)
        self._numbers = numbers
        self._unknown = unknown

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read a model.

        Raises:
            ArtifactError: It is damaged.
            UnsupportedError: Its pieces are longer than letters.
        """
        try:
            numbers, unknown, kind = _alphabet(content)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error) as error:
            raise ArtifactError(f"the tokenizer is no model of SentencePiece: {error}", do="get it again") from error
        if kind != LETTERS or not numbers:
            raise UnsupportedError("a tokenizer of pieces longer than letters", expected="single letters")
        return cls(numbers, unknown=unknown)

    def plain(self, text: str) -> str:
        """Return a text as it is read: in compatibility form, a space between words."""
        return " ".join(unicodedata.normalize("NFKC", text).split())

    def encode(self, text: str) -> list[int]:
        """Return the numbers of the letters of a text."""
        return [self._numbers.get(letter, self._unknown) for letter in (" " + self.plain(text)).replace(" ", SPACE)]


def _alphabet(content: bytes) -> tuple[dict[str, int], int, int]:
    """Return the number of every piece, that of what is none of them, and the kind of the model."""
    if len(content) > LARGEST_BYTES:
        raise ValueError("it is too long")
    numbers: dict[str, int] = {}
    unknown, count, kind = 0, 0, NORMAL
    for field, value in _fields(content):
        if field == TRAINER:
            kind = dict(_fields(value)).get(MODEL_TYPE, NORMAL)
        if field != PIECES:
            continue
        piece = dict(_fields(value))
        text, what = piece[TEXT].decode("utf-8"), piece.get(KIND, NORMAL)
        if what == UNKNOWN_KIND:
            unknown = count
        elif what == NORMAL:
            numbers.setdefault(text, count)
        count += 1
    return numbers, unknown, kind


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of every field of a message: whole numbers, bytes, or the bytes of a number."""
    place = 0
    while place < len(content):
        key, place = _number(content, place)
        field, form = key >> 3, key & 7
        if form == 0:
            value, place = _number(content, place)
            yield field, value
            continue
        length = {1: 8, 5: 4}.get(form)
        if form == 2:
            length, place = _number(content, place)
        if length is None or place + length > len(content):
            raise ValueError("a field that goes on behind its end")
        yield field, content[place : place + length]
        place += length


def _number(content: bytes, place: int) -> tuple[int, int]:
    """Return a whole number of seven bits a byte, and the place behind it."""
    value, shift = 0, 0
    while shift < 64:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError("a number without an end")
