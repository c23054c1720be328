"""What of a content is compared word by word: a text as it is; of music its steps, so that a copy in another key is a copy.

A word of a protein is a letter. A word of music is one note: how far it is from the note before it in pitch and in time, and how long
it lasts.
"""

from typing import Any, Protocol

import numpy as np

from makar.data.score import DRUMS, score_of


class Decodes(Protocol):
    """A codec that gives content back."""

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        """Return content of tokens."""


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
