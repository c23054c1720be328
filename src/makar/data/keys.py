"""In which key a piece is: the profile of its pitch classes compared with those of the 24 keys.

Source: Krumhansl 1990, "Cognitive Foundations of Musical Pitch", and Krumhansl and Schmuckler's key-finding algorithm: the correlation
    of how long each pitch class sounds with the probe-tone ratings of Krumhansl and Kessler 1982 (table 2.1), turned to every tonic.
"""

from collections.abc import Iterable

import numpy as np

from makar.data.score import DRUMS, Note

MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = (*NAMES, *(f"{name}m" for name in NAMES))
"""Major keys, then minor ones."""

_SAME = {"C#": "Db", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb", "Cb": "B", "E#": "F", "Fb": "E", "B#": "C"}
_SCALES = {"": (0, 2, 4, 5, 7, 9, 11), "m": (0, 2, 3, 5, 7, 8, 10, 11)}
"""Pitch classes of a key above its tonic; a minor key has the natural and the leading seventh."""


def pitch_classes(notes: Iterable[Note]) -> np.ndarray:
    """Return for how many sixteenths each of the twelve pitch classes sounds, float64 ``[12]``; drums do not count."""
    found = np.zeros(12)
    for note in notes:
        if note.program != DRUMS:
            found[note.pitch % 12] += note.duration
    return found


def key_of(notes: Iterable[Note]) -> str:
    """Return the key that a piece is most likely in, of ``KEYS``; C where nothing sounds or everything sounds alike."""
    found = pitch_classes(notes)
    if found.std() == 0:
        return KEYS[0]
    profiles = np.stack([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    scores = [float(np.corrcoef(found, profile)[0, 1]) for profile in profiles]
    return KEYS[int(np.argmax(scores))]


def key_named(text: str) -> str | None:
    """Return the key that a name means, ``None`` where it means none.

    >>> key_named("a minor"), key_named("C#"), key_named("Gm"), key_named("H")
    ('Am', 'Db', 'Gm', None)
    """
    word = text.strip().replace(" ", "")
    is_minor = word.lower().endswith("minor") or (word.endswith("m") and len(word) <= 3)
    tonic = word.lower().removesuffix("major").removesuffix("minor")
    tonic = tonic.removesuffix("m") if is_minor else tonic
    tonic = tonic[:1].upper() + tonic[1:]
    tonic = _SAME.get(tonic, tonic)
    return None if tonic not in NAMES else tonic + ("m" if is_minor else "")


def moved_key(key: str, semitones: int) -> str:
    """Return the key of a piece that is played higher by so many semitones."""
    tonic, mode = key.removesuffix("m"), "m" if key.endswith("m") else ""
    return NAMES[(NAMES.index(tonic) + semitones) % 12] + mode


def in_key_share(notes: Iterable[Note], key: str) -> float:
    """Return the share of the sounding time that lies in the scale of a key, 0 to 1; 1 where nothing sounds."""
    found = pitch_classes(notes)
    tonic = NAMES.index(key.removesuffix("m"))
    inside = sum(found[(tonic + step) % 12] for step in _SCALES["m" if key.endswith("m") else ""])
    return float(inside / found.sum()) if found.sum() else 1.0
