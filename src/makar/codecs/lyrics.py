"""When the units of words are sung: known or found in songs, and for new words at the pace of those songs.

Words may come with times in the form of LRC, a stamp before each line ``[00:12.30]`` or each word ``<00:12.30>``, the last one alone where
the singing ends. Then the units of a word lie between its stamps, and without stamps somewhere in the song; where is found by the
alignment search of speech (``makar.codecs.alignment``), which begins with vowels and pauses that are longer than the rest. How long a unit
lasts in new words is guessed linearly from it and its neighbours (``makar.codecs.durations``), learned from the same songs, so a vowel is
held as long as it usually is there.
"""

import contextlib
import dataclasses
import re
from typing import Any, NamedTuple, Self

import numpy as np

from makar.codecs.alignment import FRAME_SECONDS, Aligner, features_of, learned_aligner
from makar.codecs.durations import Durations, learned_durations
from makar.codecs.units import KINDS, LONGEST_CHARACTERS, has_phones, units_of
from makar.data.phones import PAUSE
from makar.data.record import Record
from makar.data.singing import VOWELS
from makar.errors import DataError, EmptyDataError, UsageError

LEARNED_FROM = 2000
"""Songs at most from which alignment and durations are learned."""

STAMP = re.compile(r"[\[<](\d+):(\d\d(?:[.:]\d+)?)[\]>]")
TAG = re.compile(r"^\[[a-z]+:.*\]$", re.MULTILINE)
"""A line of an LRC file that says who sings, and such."""

SHORTEST_PAUSE_SECONDS = 0.05
LETTER_VOWELS = frozenset("aeiou")

VOWEL_LENGTH, PAUSE_LENGTH = 6.0, 5.0
"""Beside a consonant, to begin the search with: of 90 built-in songs without times the ends of phones are found within 48 ms in the mean
(within 55 where a pause has 3, within 103 where it has 1, within 75 where all are alike)."""


class Stretch(NamedTuple):
    """A stretch of a song.

    Attributes:
        start: In seconds.
        order: Numbers of the units that are sung in it, int64 ``[units]``.
    """

    start: float
    order: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lyrics:
    """What is known of how words are sung.

    Attributes:
        units: ``"phones"`` or ``"letters"``.
        aligner: What every unit sounds like, roughly.
        durations: How long every unit lasts.
        left_out: Songs that were seen in learning and are too short for their words.
        known: Of songs that were seen in learning, the units and when they end, by id and words; searching takes longer than all else.
    """

    units: str
    aligner: Aligner
    durations: Durations
    left_out: int = 0
    known: dict[tuple[str, str | None], tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)

    def heard(self, record: Record, *, frames: int, frame_seconds: float) -> np.ndarray | None:
        """Return the unit that is sung in every frame of a song, uint8 ``[frames]``; the pause, which is 0, in one without words.

        Args:
            record: The song, its words the caption.
            frames: How many are told.
            frame_seconds: How long one is.

        Returns:
            ``None`` where the song is too short for its words.
        """
        found = self.known.get((record.id, record.caption))
        if found is None:
            stretches = stretches_of(record.caption, self.units, seconds=record.content.seconds)
            if not stretches:
                return np.zeros(frames, np.uint8)
            try:
                found = _joined(self.aligner, features_of(record.content), stretches)
            except DataError:
                return None
        return frame_units(*found, frames=frames, frame_seconds=frame_seconds)

    def asked(self, text: str, *, frame_seconds: float) -> np.ndarray:
        """Return the unit of every frame of new words for as long as they last, int64 ``[frames]``.

        Args:
            text: The words.
            frame_seconds: How long a frame is.

        Raises:
            UsageError: Nothing in them is sung, they are too long, or they come with times.
            UnsupportedError: The model sings phones and flite is not here.
        """
        if STAMP.search(text):
            raise UsageError("words with times", expected="the words alone: the model has a pace of its own")
        order = _numbers(units_of(text, self.units), self.units)
        ends = np.cumsum(self.durations.seconds(order))
        frames = int(np.ceil(ends[-1] / frame_seconds))
        return frame_units(order, ends, frames=frames, frame_seconds=frame_seconds).astype(np.int64)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {"units": self.units, "durations": self.durations.to_list(), "aligner": self.aligner.to_arrays()}

    @classmethod
    def from_dictionary(cls, found: dict[str, Any]) -> Self:
        """Rebuild from plain values.

        Raises:
            ArtifactError: They do not fit the units.
        """
        units = len(KINDS[found["units"]])
        return cls(
            units=found["units"],
            aligner=Aligner.from_arrays(found["aligner"], units=units),
            durations=Durations.from_list(found["durations"], units=units),
        )


class Listener:
    """Gathers songs to learn from: their features, and the units of their words by stretches."""

    def __init__(self) -> None:
        self.units = "phones" if has_phones() else "letters"
        self._songs: dict[tuple[str, str | None], tuple[np.ndarray, list[Stretch]]] = {}

    def hear(self, record: Record) -> None:
        """Keep what is learned of one song; nothing of one without words."""
        if len(self._songs) >= LEARNED_FROM:
            return
        stretches = stretches_of(record.caption, self.units, seconds=record.content.seconds)
        if stretches:
            self._songs[record.id, record.caption] = (features_of(record.content), stretches)

    def learned(self) -> Lyrics:
        """Return what was learned.

        Raises:
            EmptyDataError: No song has words.
            DataError: No song is long enough for its words.
        """
        if not self._songs:
            raise EmptyDataError(
                "no sound comes with words that are sung in it",
                expected="songs with a .txt of their words beside each",
                do='use the recipe "jukebox" for music without words',
            )
        count = len(KINDS[self.units])
        songs = self._songs.values()
        parts = [part for features, stretches in songs for part in _cut(features, stretches)]
        orders = [one.order for _, stretches in songs for one in stretches]
        lengths = np.array([_usual_length(unit) for unit in KINDS[self.units]])
        aligner = learned_aligner(parts, orders, units=count, lengths=lengths)
        known: dict[tuple[str, str | None], tuple[np.ndarray, np.ndarray]] = {}
        for name, (features, stretches) in self._songs.items():
            with contextlib.suppress(DataError):
                known[name] = _joined(aligner, features, stretches)
        orders = [order for order, _ in known.values()]
        seconds = [np.diff(ends, prepend=0.0) for _, ends in known.values()]
        durations = learned_durations(orders, seconds, units=count)
        left_out = len(self._songs) - len(known)
        return Lyrics(units=self.units, aligner=aligner, durations=durations, left_out=left_out, known=known)


def stretches_of(words: str | None, units: str, *, seconds: float) -> list[Stretch]:
    """Return which units are sung in which stretch of a song: in all of it, or between the times that the words come with.

    Args:
        words: What is sung.
        units: ``"phones"`` or ``"letters"``.
        seconds: How long the song is.

    Returns:
        From its beginning to its end; empty where there are no words.

    Raises:
        UsageError: The words are too long.
    """
    parts = STAMP.split(TAG.sub("", words or ""))
    times = [60 * int(parts[place]) + float(parts[place + 1].replace(":", ".")) for place in range(1, len(parts), 3)]
    found = [
        Stretch(start, _order_of(text, units, is_whole=not times))
        for start, text in zip([0.0, *times], parts[::3], strict=True)
    ]
    ends = [*(one.start for one in found[1:]), seconds]
    # Nothing that lasts for no time is no pause.
    kept = [one for one, end in zip(found, ends) if one.order.any() or end - one.start >= SHORTEST_PAUSE_SECONDS]
    return kept if any(one.order.any() for one in kept) else []


def sung_ends(aligner: Aligner, features: np.ndarray, stretches: list[Stretch]) -> list[np.ndarray]:
    """Return when every unit of every stretch ends, in seconds.

    Args:
        aligner: What units sound like.
        features: Of the song.
        stretches: What is sung in it.

    Raises:
        DataError: A stretch is shorter than its units.
    """
    parts = _cut(features, stretches)
    starts = _frames(features, stretches)
    return [
        start * FRAME_SECONDS + aligner.ends(part, one.order)
        for start, part, one in zip(starts, parts, stretches, strict=True)
    ]


def _joined(aligner: Aligner, features: np.ndarray, stretches: list[Stretch]) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of a song and when each of them ends."""
    ends = np.concatenate(sung_ends(aligner, features, stretches))
    return np.concatenate([one.order for one in stretches]), ends


def frame_units(order: np.ndarray, ends: np.ndarray, *, frames: int, frame_seconds: float) -> np.ndarray:
    """Return the unit that is sung in every frame, uint8 ``[frames]``; behind the last it is a pause, which is 0.

    Args:
        order: Numbers of the units.
        ends: When each of them ends, in seconds.
        frames: How many frames there are.
        frame_seconds: How long one is.
    """
    # The window of a frame lies around its beginning.
    places = np.searchsorted(ends, np.arange(frames) * frame_seconds, side="right")
    found: np.ndarray = np.where(places < len(order), order[np.minimum(places, len(order) - 1)], 0).astype(np.uint8)
    return found


def _usual_length(unit: str) -> float:
    if unit == PAUSE:
        return PAUSE_LENGTH
    return VOWEL_LENGTH if unit in VOWELS or unit in LETTER_VOWELS else 1.0


def _order_of(text: str, units: str, *, is_whole: bool) -> np.ndarray:
    """Return the numbers of the units of a stretch; one word between two others has no pauses at its ends."""
    spoken = " ".join(text.split())
    try:
        found = units_of(spoken, units)
    except UsageError:
        if len(spoken) > LONGEST_CHARACTERS:
            raise
        found = (PAUSE,)
    is_word = not is_whole and len(text.split()) == 1 and len(found) > 2
    return _numbers(found[1:-1] if is_word else found, units)


def _numbers(found: tuple[str, ...], units: str) -> np.ndarray:
    numbers = {unit: number for number, unit in enumerate(KINDS[units])}
    return np.array([numbers[unit] for unit in found], np.int64)


def _frames(features: np.ndarray, stretches: list[Stretch]) -> list[int]:
    return [0, *(min(len(features), round(one.start / FRAME_SECONDS)) for one in stretches[1:])]


def _cut(features: np.ndarray, stretches: list[Stretch]) -> list[np.ndarray]:
    starts = _frames(features, stretches)
    return [features[start:end] for start, end in zip(starts, [*starts[1:], len(features)], strict=True)]
