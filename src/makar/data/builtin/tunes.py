"""Short tunes composed and played by formulas: 600 of four seconds with style, captions and known key, the same on every machine.

Three styles (march in 4/4, waltz in 3/4, jig in 6/8) by five instruments, in major and minor keys, slow to fast: two chords a bar from
the key under a melody that walks in its scale and comes to rest on its first note. A generator that the number of the tune seeds draws
everything else. They are rendered tunes and no recordings: what is learned from them sounds like them.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from makar.data.builtin.computed import LICENCE, ComputedSource
from makar.data.chroma import NOTE_NAMES
from makar.data.document import Document
from makar.data.instruments import sound_of
from makar.data.score import Note, Score, bar_steps
from makar.data.sound import Sound
from makar.data.wave_file import on_grid

RATE_HZ = 16_000
SECONDS = 4.0
EACH = 200
VERSION = 1

STYLES = {"jig": "6/8", "march": "4/4", "waltz": "3/4"}
INSTRUMENTS = {"piano": 0, "bells": 9, "organ": 19, "guitar": 25, "flute": 73}
TEMPOS = {"slow": 88, "lively": 120, "fast": 168}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
CHORDS = ((0, 0), (3, 4), (0, 3), (4, 0))
"""Degrees of the two chords of each bar, over and over."""

RHYTHMS = {
    "jig": ((2, 2, 2, 2, 2, 2), (4, 2, 4, 2), (2, 2, 2, 6), (6, 2, 2, 2)),
    "march": ((4, 4, 4, 4), (4, 2, 2, 4, 4), (6, 2, 4, 4), (8, 4, 4), (2, 2, 4, 8)),
    "waltz": ((4, 4, 4), (8, 4), (4, 2, 2, 4), (6, 2, 4)),
}
"""How long the notes of a bar of melody are, in sixteenths."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tune:
    """What is known of a tune.

    Attributes:
        style: Of ``STYLES``.
        instrument: Of ``INSTRUMENTS``.
        speed: Of ``TEMPOS``.
        tonic: First note of the key, 0 is C.
        mode: Of ``SCALES``.
    """

    style: str
    instrument: str
    speed: str
    tonic: int
    mode: str

    @property
    def caption(self) -> str:
        """What a listener would say: ``"a slow organ waltz in G minor"``."""
        return f"a {self.speed} {self.instrument} {self.style} in {NOTE_NAMES[self.tonic]} {self.mode}"


class TunesSource(ComputedSource):
    """One document a tune."""

    name, medium = "tunes", "sound"
    kinds, each = tuple(STYLES), EACH
    size_bytes = round(4 * RATE_HZ * EACH * len(STYLES) * SECONDS)
    note = f"{len(STYLES)} styles, {EACH} tunes of each, {RATE_HZ} samples a second; played by formulas"
    follows_from = f"tunes\t{VERSION}\t{RATE_HZ}\t{EACH}\t{SECONDS}\t{','.join(STYLES)}\t{','.join(INSTRUMENTS)}"

    def document(self, kind: str, number: int) -> Document:
        """Return one of them."""
        return Document(
            name=f"{kind}/{number:03d}",
            read=functools.partial(_one, kind, number),
            label=kind,
            caption=tune_of(kind, number).caption,
            licence=LICENCE,
        )


def tune_of(style: str, number: int) -> Tune:
    """Return what is known of one of the tunes.

    Args:
        style: Of ``STYLES``.
        number: Which of them.
    """
    return _drawn(style, number)[0]


def score_of_tune(style: str, number: int) -> Score:
    """Return the notes of one of the tunes."""
    tune, draw = _drawn(style, number)
    metre, program = STYLES[style], INSTRUMENTS[tune.instrument]
    tempo, bar = TEMPOS[tune.speed], bar_steps(metre)
    bars = int(np.ceil(SECONDS * tempo * 4 / 60 / bar)) + 1
    scale, low = SCALES[tune.mode], 48 + (tune.tonic + 7) % 12 - 7
    notes: list[Note] = []
    degree = int(draw.choice((7, 9, 11)))
    for number_of_bar in range(bars):
        start = number_of_bar * bar
        for half, root in enumerate(CHORDS[number_of_bar % len(CHORDS)]):
            length = bar // 2 if bar % 8 == 0 or style == "jig" else bar - 4 if half else 4
            place = start + (bar - length if half else 0)
            notes += [_note(place, length, 1 + part, low + _pitch(scale, root + part), program) for part in (0, 2, 4)]
        for length in RHYTHMS[style][int(draw.integers(len(RHYTHMS[style])))]:
            notes.append(_note(start, length, 0, low + 12 + _pitch(scale, degree - 7), program))
            start += length
            degree = int(np.clip(degree + draw.choice((-2, -1, -1, 0, 1, 1, 2)), 7, 14))
        # Every other bar comes home.
        degree = 7 if number_of_bar % 2 == 0 else degree
    return Score(notes=tuple(sorted(notes)), steps=bars * bar, metre=metre, tempo=tempo)


def tune(style: str, number: int) -> Sound:
    """Return one of the tunes.

    Args:
        style: Of ``STYLES``.
        number: Which of them.
    """
    samples = sound_of(score_of_tune(style, number), rate=RATE_HZ)[: round(SECONDS * RATE_HZ)]
    fade = np.clip((len(samples) - np.arange(len(samples))) / (0.05 * RATE_HZ), 0, 1)
    return Sound(on_grid((0.7 * samples * fade).astype(np.float32))[:, None], RATE_HZ)


def _one(style: str, number: int) -> Iterator[Sound]:
    return iter([tune(style, number)])


def _note(start: int, duration: int, part: int, pitch: int, program: int) -> Note:
    return Note(start=start, part=part, pitch=pitch, duration=duration, program=program)


def _pitch(scale: tuple[int, ...], degree: int) -> int:
    return 12 * (degree // 7) + scale[degree % 7]


def _drawn(style: str, number: int) -> tuple[Tune, np.random.Generator]:
    """Return what is known of a tune, and the generator of all else."""
    seed = int.from_bytes(hashlib.sha256(f"{style} {number}".encode()).digest()[:8], "big")
    draw = np.random.default_rng(seed)
    found = Tune(
        style=style,
        instrument=str(draw.choice(list(INSTRUMENTS))),
        speed=str(draw.choice(list(TEMPOS))),
        tonic=int(draw.integers(12)),
        mode=str(draw.choice(list(SCALES))),
    )
    return found, draw
