"""Short songs with words: 300 phrases of a small grammar, spoken by the program flite and sung, with style, words and known times.

Four words of five each, sung by one voice on a melody that walks in its key, in three styles (march, waltz, jig) that differ in rhythm and
in what plays softly along. A generator that the number of the song seeds draws everything; the voice is that of flite 2.2 (``rms``), whose
phones and their times it prints itself. They are computed songs and no recordings: what is learned from them sounds like them.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from makar.data.builtin.computed import LICENCE, ComputedSource
from makar.data.builtin.flite import check_flite, said
from makar.data.builtin.tunes import CHORDS, INSTRUMENTS, SCALES, STYLES
from makar.data.document import Document
from makar.data.instruments import sound_of
from makar.data.score import Note, Score, bar_steps
from makar.data.singing import SpokenPhones, SungNote, sung, sung_phones, syllables
from makar.data.sound import Sound
from makar.data.wave_file import on_grid

VOICE = "rms"
RATE_HZ = 16_000
EACH = 100
VERSION = 1

WORDS = (
    ("sing", "dance", "listen", "wander", "whisper"),
    ("little", "golden", "silver", "lonely", "merry"),
    ("river", "sparrow", "winter", "morning", "flower"),
    ("again", "tonight", "forever", "softly", "always"),
)
"""One of each row makes the words of a song."""

RHYTHMS = {"jig": (3, 2, 3, 2), "march": (2, 2, 2, 2), "waltz": (3, 3, 2, 2, 2)}
"""How long syllables are, in sixteenths, over and over."""

PLAYED = {
    "jig": ((0, 0), (4, 1), (6, 0), (10, 1)),
    "march": ((0, 0), (4, 1), (8, 0), (12, 1)),
    "waltz": ((0, 0), (4, 1), (8, 1)),
}
"""What plays along in a bar: (sixteenth, 0 for the low note and 1 for the chord)."""

LAST_STEPS, BEAT_SECONDS = 3, (0.5, 0.6)
LOWEST_PITCH, RANGE = 43, 7
FIRST_SECONDS = 0.3
ACCOMPANIMENT = 0.12
"""Of the loudest sample, where the voice has 0.7."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Song:
    """A song and what is known of it.

    Attributes:
        words: What is sung.
        timed: The words in the form of LRC: before each word when it begins, behind the last when it ends.
        phones: Phones of the words, each with the second at which it ends.
        notes: The melody, one note a syllable.
        sound: What is heard.
    """

    words: str
    timed: str
    phones: SpokenPhones
    notes: tuple[SungNote, ...]
    sound: Sound


class SongsSource(ComputedSource):
    """One document a song.

    Raises:
        UnsupportedError: flite is not there.
    """

    name, medium = "songs", "sound"
    kinds, each = tuple(STYLES), EACH
    size_bytes = round(2 * RATE_HZ * EACH * len(STYLES) * 3.0)
    note = f"{len(STYLES)} styles, {EACH} songs of each, {RATE_HZ} samples a second; sung by the voice {VOICE} of flite"
    follows_from = f"songs\t{VERSION}\t{RATE_HZ}\t{EACH}\t{VOICE}\t{','.join(STYLES)}\t{WORDS}"

    def __init__(self) -> None:
        check_flite("builtin:songs are sung")
        super().__init__()

    def document(self, kind: str, number: int) -> Document:
        """Return one of them."""
        return Document(
            name=f"{kind}/{number:03d}",
            read=functools.partial(_one, kind, number),
            label=kind,
            caption=song(kind, number).timed,
            licence=LICENCE,
        )


# A song is read once for every stage that learns from it, and takes a quarter of a second.
@functools.lru_cache(maxsize=EACH * len(STYLES))
def song(style: str, number: int) -> Song:
    """Return one of the songs.

    Args:
        style: Of ``STYLES``.
        number: Which of them.

    Raises:
        UnsupportedError: flite is not there, or has not this voice.
    """
    draw = _draw(style, number)
    words = " ".join(str(draw.choice(row)) for row in WORDS)
    spoken = said(words, voice=VOICE)
    phones = spoken.phones
    scale = SCALES[str(draw.choice(list(SCALES)))]
    low = LOWEST_PITCH + int(draw.integers(RANGE))
    step = float(draw.uniform(*BEAT_SECONDS)) / 4
    notes = _melody(style, syllables(phones), low=low, scale=scale, step=step, draw=draw)
    voice = sung(spoken.sound.mono(), phones, list(notes), rate=RATE_HZ)
    voice *= 0.7 / np.abs(voice).max()
    program = INSTRUMENTS[str(draw.choice(("piano", "organ", "guitar")))]
    whole = voice + _played(style, len(voice), low=low, scale=scale, step=step, program=program)
    phones = sung_phones(phones, list(notes))
    return Song(
        words=words,
        timed=_timed(words.split(), phones),
        phones=phones,
        notes=notes,
        sound=Sound(on_grid(whole.astype(np.float32))[:, None], RATE_HZ),
    )


def _one(kind: str, number: int) -> Iterator[Sound]:
    return iter([song(kind, number).sound])


def _draw(style: str, number: int) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"song {style} {number}".encode()).digest()[:8], "big"))


def _timed(words: list[str], phones: SpokenPhones) -> str:
    """Return words with the times at which they are sung."""
    place, found = 0, []
    for word in words:
        found.append(f"<00:{phones[place][1]:05.2f}>{word}")
        place += _length(word)
    return " ".join([*found, f"<00:{phones[place][1]:05.2f}>"])


@functools.cache
def _length(word: str) -> int:
    """Return how many phones a word has."""
    return len(said(word, voice=VOICE).phones) - 2


def _melody(
    style: str, count: int, *, low: int, scale: tuple[int, ...], step: float, draw: np.random.Generator
) -> tuple[SungNote, ...]:
    """Return a note for every syllable: a walk in the scale that comes home."""
    degree, start = int(draw.choice((0, 2, 4))), FIRST_SECONDS
    found: list[SungNote] = []
    for number in range(count):
        is_last = number + 1 == count
        length = step * (LAST_STEPS if is_last else RHYTHMS[style][number % len(RHYTHMS[style])])
        degree = 0 if is_last else degree
        found.append(SungNote(start=start, end=start + length, pitch=low + _pitch(scale, degree)))
        degree = int(np.clip(degree + draw.choice((-2, -1, 0, 1, 1, 2)), 0, 7))
        start += length
    return tuple(found)


def _played(style: str, length: int, *, low: int, scale: tuple[int, ...], step: float, program: int) -> np.ndarray:
    """Return what plays along, float64 ``[samples]``."""
    bar = bar_steps(STYLES[style])
    bars = int(length / RATE_HZ / (step * bar)) + 1
    notes: list[Note] = []
    for number in range(bars):
        root = CHORDS[number % len(CHORDS)][0]
        for place, is_chord in PLAYED[style]:
            parts = (0, 2, 4) if is_chord else (0,)
            pitches = (low + 12 * is_chord + _pitch(scale, root + part) for part in parts)
            notes += [
                Note(start=number * bar + place, part=1 + part, pitch=pitch, duration=2, program=program)
                for part, pitch in enumerate(pitches)
            ]
    score = Score(notes=tuple(sorted(notes)), steps=bars * bar, metre=STYLES[style], tempo=round(15 / step))
    heard = sound_of(score, rate=RATE_HZ)
    start = round(FIRST_SECONDS * RATE_HZ)
    placed: np.ndarray = np.pad(heard.astype(np.float64), (start, length))[:length] * ACCOMPANIMENT
    fade = np.clip((length - np.arange(length)) / (0.05 * RATE_HZ), 0, 1)
    return placed * fade


def _pitch(scale: tuple[int, ...], degree: int) -> int:
    return 12 * (degree // 7) + scale[degree % 7]
