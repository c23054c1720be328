"""What of a content is compared word by word: a text as it is; of music its steps, so that a copy in another key is a copy.

A word of a protein is a letter. A word of music is one note: how far it is from the note before it in pitch and in time, and how long
it lasts.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from makar.data.score import DRUMS, score_of


class Decodes(Protocol):
    """A codec that gives content back."""

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        """Return content of tokens."""


@runtime_checkable
class ComparesPictures(Protocol):
    """A codec whose targets are no pictures, and that knows the pictures by which they are compared."""

    def compared(self, stored: np.ndarray) -> np.ndarray:
        """Return uint8 ``[batch, channels, height, width]`` of stored targets."""


class ComparedPictures:
    """The pictures by which the examples of a store are compared, made as they are asked for.

    Args:
        values: Stored targets ``[examples, ...]``.
        codec: The codec of the store.
    """

    def __init__(self, values: np.ndarray, codec: ComparesPictures) -> None:
        self._values, self._codec = values, codec
        self.shape = (len(values), *codec.compared(values[:1]).shape[1:])

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, chosen: Any) -> np.ndarray:
        return self._codec.compared(self._values[chosen])


def compared_pictures(values: np.ndarray, codec: Any) -> "np.ndarray | ComparedPictures":
    """Return what of stored targets is compared as pictures: themselves, or what their codec makes of them.

    Args:
        values: ``[examples, ...]`` with at least one example.
        codec: The codec of the store.
    """
    return ComparedPictures(values, codec) if isinstance(codec, ComparesPictures) else values


class _ComparedCodec:
    def __init__(self, codec: Decodes, medium: str) -> None:
        self._codec, self._medium = codec, medium

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        return compared_text(self._codec.decode(slots), self._medium)


def compared_codec(codec: Decodes, medium: str) -> Decodes:
    """Return a codec that decodes to what is compared."""
    return _ComparedCodec(codec, medium) if medium in ("music", "protein") else codec


def compared_text(content: str, medium: str) -> str:
    """Return what of a content is compared.

    >>> compared_text("m4/4 q96 bar p0 i0 n60 d4 p4 n64 d4", "music")
    'u0t0d4 u4t4d4'
    """
    if medium == "protein":
        return " ".join(content)
    if medium != "music":
        return content
    notes = [note for note in score_of(content).notes if note.program != DRUMS]
    words, pitch, start = [], notes[0].pitch if notes else 0, notes[0].start if notes else 0
    for note in sorted(notes, key=lambda note: (note.start, -note.pitch)):
        up = note.pitch - pitch
        words.append(f"{'u' if up >= 0 else 'w'}{abs(up)}t{note.start - start}d{note.duration}")
        pitch, start = note.pitch, note.start
    return " ".join(words)
