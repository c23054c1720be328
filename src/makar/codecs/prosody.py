"""How high and how loud every unit of a text is spoken: measured in recordings, guessed for a new text, and told to the model.

A unit has one pitch, the mean over its moments, in a straight line over units that have none, and one energy, the level of its samples: as
in FastPitch (Łańcucki 2021, arXiv 2006.06873, section 2.1) and FastSpeech 2 (Ren et al. 2021, arXiv 2006.04558, section 2.3), which find a
number for every phone and every frame. Both are guessed of a text as durations are, linearly from the unit, its neighbours and its place,
around the level of the voice.

Decision: pitch is told as places on a scale of semitones, shared between the two nearest. In decibels a picture is the loudness of what
sounds (the pitch) and of what it sounds through (the unit) added up, so already the linear guess that the family begins with puts
harmonics where they belong. Energy is told as how much louder a unit is than its text lets expect: so it says nothing that the units
say, and a model hears in it loudness and nothing else. Where a text is spoken and nothing is asked it is as loud as expected.
"""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np

from makar.codecs.durations import guess_weights, guess_width, unit_features
from makar.codecs.pitch import QUIET_DB, STEP_SECONDS, pitches_hz, semitones
from makar.codecs.told_planes import PITCH_PLANES, PROSODY_PLANES
from makar.data.sound import Sound
from makar.errors import ArtifactError, UnsupportedError

QUIETEST_DB = -70.0
"""Of a full-scale square wave; what is quieter is told as silence."""

AROUND = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
"""How much the units beside a unit count in its energy: where one ends is known to some milliseconds only, and silence that is taken for a
part of a unit, or left out of a pause, is no loudness."""

MOST_DB = 16.0
"""Louder or quieter than expected by more than this is told as this."""

REACH = (0.01, 0.99)
"""Of the pitches of all units: how far a voice can be moved, since it is not heard beyond."""

PAUSE_NUMBER = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Manner:
    """How a text is spoken, where that is not left to the model.

    Attributes:
        speed: 2 is twice as fast as in the recordings.
        pitch: Semitones by which everything is higher.
        energy: Decibels by which everything is louder.
    """

    speed: float = 1.0
    pitch: float = 0.0
    energy: float = 0.0

    @property
    def is_moved(self) -> bool:
        """Whether pitch or energy are not as they would be."""
        return bool(self.pitch or self.energy)

    def to_dictionary(self) -> dict[str, float]:
        """Return what a manifest says of it."""
        return {"speed": self.speed, "pitch": self.pitch, "energy": self.energy}


AS_IT_IS = Manner()


@dataclasses.dataclass(frozen=True)
class Level:
    """Around what a voice moves.

    Attributes:
        pitch: Median of its moments in semitones above 50 Hz; nan where no moment has a pitch.
        energy: Level of what is said, in decibels.
    """

    pitch: float
    energy: float


@dataclasses.dataclass(frozen=True, eq=False)
class Contour:
    """How the units of one text are spoken.

    Attributes:
        pitch: float64 ``[units]``, semitones above 50 Hz; nan where the recording has no pitch at all.
        louder: float64 ``[units]``, decibels above what is expected.
    """

    pitch: np.ndarray
    louder: np.ndarray

    def moved(self, *, pitch: float, energy: float) -> "Contour":
        """Return the same higher by semitones and louder by decibels."""
        return Contour(self.pitch + pitch, self.louder + energy)

    def planes(self, ends: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return what a model is told of every frame, float64 ``[PROSODY_PLANES, frames]`` in 0..1.

        Pitch glides from the middle of one unit to that of the next, energy is that of the unit.

        Args:
            ends: When each unit ends, in seconds, float64 ``[units]``.
            times: Of the frames, float64 ``[frames]``; behind the last unit there is no pitch, and nothing is louder than expected.
        """
        starts = np.concatenate([[0.0], ends[:-1]])
        told = np.zeros((PROSODY_PLANES, len(times)))
        is_inside = times < ends[-1]
        if not np.isnan(self.pitch).any():
            place = np.clip(np.interp(times, (starts + ends) / 2, self.pitch), 0, PITCH_PLANES - 1)
            told[:-1] = is_inside * np.maximum(0.0, 1 - np.abs(place - np.arange(PITCH_PLANES)[:, None]))
        unit = np.minimum(np.searchsorted(ends, times, side="right"), len(ends) - 1)
        told[-1] = np.clip(0.5 + np.where(is_inside, self.louder[unit], 0.0) / (2 * MOST_DB), 0, 1)
        return told


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What is measured of the units of a recording.

    Attributes:
        pitch: float64 ``[units]``, semitones above 50 Hz; nan where the recording has no pitch at all.
        energy: float64 ``[units]``, decibels.
    """

    pitch: np.ndarray
    energy: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Prosody:
    """What pitch and energy follow from.

    Attributes:
        pitch: Weights, float64 ``[features]``, of semitones above the level of the voice.
        energy: Weights of decibels above it.
        lowest: Semitones of the lowest units below the level of their voice, negative.
        highest: The same above it.
        shift: Semitones by which recordings were moved where it was learned from them.
    """

    pitch: np.ndarray
    energy: np.ndarray
    lowest: float
    highest: float
    shift: float = 0.0

    @property
    def reach(self) -> tuple[float, float]:
        """How far the voice can be moved down and up: as far as recordings were, and where none was as far as they reach."""
        return (-self.shift, self.shift) if self.shift else (self.lowest, self.highest)

    def said(self, order: np.ndarray, level: Level, manner: Manner, *, units: int) -> Contour:
        """Return how the units of a new text are spoken.

        Args:
            order: Their numbers.
            level: Of the voice.
            manner: What is moved.
            units: How many different units there are.

        Raises:
            UnsupportedError: The voice does not reach so high or so low.
        """
        low, high = self.reach
        if not low <= manner.pitch <= high:
            raise UnsupportedError(
                f"a pitch {manner.pitch:+g} semitones from that of the recordings",
                expected=f"{low:+.1f} to {high:+.1f}, which is as far as the voice was heard where it was learned",
            )
        pitch = np.clip(unit_features(order, units) @ self.pitch, self.lowest, self.highest) + level.pitch
        return Contour(pitch + manner.pitch, np.full(len(order), manner.energy))

    def heard(self, order: np.ndarray, measured: Measured, level: Level, *, units: int) -> Contour:
        """Return how the units of a recording are spoken.

        Args:
            order: Their numbers.
            measured: What was measured of them.
            level: Of the voice.
            units: How many different units there are.
        """
        expected = np.maximum(QUIETEST_DB, unit_features(order, units) @ self.energy + level.energy)
        is_said = (order != PAUSE_NUMBER).astype(np.float64)
        louder, weights = (
            np.convolve(values, AROUND)[2:-2] for values in (is_said * (measured.energy - expected), is_said)
        )
        return Contour(measured.pitch, louder / np.maximum(weights, AROUND[0]))

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for a file."""
        weights = {name: [float(one) for one in getattr(self, name).round(5)] for name in ("pitch", "energy")}
        return {**weights, "lowest": round(self.lowest, 3), "highest": round(self.highest, 3), "shift": self.shift}

    @classmethod
    def from_dictionary(cls, found: dict[str, Any], *, units: int) -> "Prosody":
        """Rebuild from plain values.

        Raises:
            ArtifactError: They are not as many as so many units need.
        """
        weights = [np.asarray(found[name], np.float64) for name in ("pitch", "energy")]
        if any(one.shape != (guess_width(units),) or not np.isfinite(one).all() for one in weights):
            raise ArtifactError(f"a prosody of {len(weights[0])} weights", expected=str(guess_width(units)))
        return cls(weights[0], weights[1], float(found["lowest"]), float(found["highest"]), float(found["shift"]))


@dataclasses.dataclass(frozen=True, eq=False)
class Track:
    """How high and how loud a recording is every 8 ms.

    Attributes:
        pitch: float64 ``[moments]``, semitones above 50 Hz, nan where there is none.
        power: float64 ``[moments]``, mean square of the samples.
    """

    pitch: np.ndarray
    power: np.ndarray

    @property
    def level(self) -> Level:
        """The level of the voice in it; moments that are far quieter than the loudest do not count."""
        pitch = self.pitch[~np.isnan(self.pitch)]
        loud = self.power[self.power >= self.power.max() * 10 ** (-QUIET_DB / 10)]
        energy = max(QUIETEST_DB, 10 * float(np.log10(max(float(loud.mean()), 1e-12))))
        return Level(float(np.median(pitch)) if len(pitch) else float("nan"), energy)

    def measured(self, ends: np.ndarray) -> Measured:
        """Return what is measured of the units of the recording.

        Args:
            ends: When each of them ends, in seconds, float64 ``[units]``.
        """
        last = len(self.pitch) - 1
        edges = np.minimum(np.round(np.concatenate([[0.0], ends]) / STEP_SECONDS).astype(np.int64), last)
        pitch, energy = np.full(len(ends), np.nan), np.zeros(len(ends))
        for number, (start, end) in enumerate(zip(edges[:-1], np.maximum(edges[1:], edges[:-1] + 1), strict=True)):
            moments = self.pitch[start:end]
            moments = moments[~np.isnan(moments)]
            if len(moments):
                pitch[number] = moments.mean()
            energy[number] = self.power[start:end].mean()
        known = np.flatnonzero(~np.isnan(pitch))
        if len(known):
            middles = (edges[:-1] + edges[1:]) / 2
            pitch = np.interp(middles, middles[known], pitch[known])
        return Measured(pitch, np.maximum(QUIETEST_DB, 10 * np.log10(np.maximum(energy, 1e-12))))

    def heard(self, order: np.ndarray, ends: np.ndarray, voice: str) -> "Heard":
        """Return the recording as prosody is learned from it.

        Args:
            order: Numbers of its units.
            ends: When each of them ends, in seconds.
            voice: By whom it is spoken.
        """
        return Heard(order=order, measured=self.measured(ends), level=self.level, voice=voice)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A recording as prosody is learned from it.

    Attributes:
        order: Numbers of its units.
        measured: How they are spoken.
        level: Around what.
        voice: By whom.
    """

    order: np.ndarray
    measured: Measured
    level: Level
    voice: str


def track_of(sound: Sound) -> Track:
    """Return how high and how loud a recording is from moment to moment."""
    heard = semitones(pitches_hz(sound))
    squares = np.concatenate([[0.0], np.cumsum(sound.mono().astype(np.float64) ** 2)])
    edges = np.minimum(
        np.round(np.arange(len(heard) + 1) * STEP_SECONDS * sound.rate_hz).astype(np.int64), len(squares) - 1
    )
    return Track(heard, np.diff(squares[edges]) / np.maximum(np.diff(edges), 1))


def learned_prosody(recordings: list[Heard], levels: dict[str, Level], *, units: int, shift: float) -> Prosody:
    """Return what pitch and energy follow from, by least squares.

    Args:
        recordings: What is learned from.
        levels: Of every voice.
        units: How many different units there are.
        shift: Semitones by which recordings are moved.
    """
    pitched = [one for one in recordings if not np.isnan(one.measured.pitch).any()]
    away = [one.measured.pitch - levels[one.voice].pitch for one in pitched]
    pitch = guess_weights([one.order for one in pitched], away, units=units)
    loud = [one.measured.energy - levels[one.voice].energy for one in recordings]
    energy = guess_weights([one.order for one in recordings], loud, units=units)
    lowest, highest = np.quantile(np.concatenate(away), REACH) if pitched else (0.0, 0.0)
    return Prosody(pitch, energy, min(0.0, float(lowest)), max(0.0, float(highest)), shift)


@dataclasses.dataclass(frozen=True, eq=False)
class VoicedProsody:
    """What pitch and energy follow from, and around what each voice moves.

    Attributes:
        prosody: What they follow from.
        levels: Of every voice by its name; where voices are not told apart, of the one without a name.
        units: How many different units there are.
    """

    prosody: Prosody
    levels: dict[str, Level]
    units: int

    def said(
        self, order: np.ndarray, manner: Manner, *, voice: str | None = None, level: Level | None = None
    ) -> Contour:
        """Return how the units of a new text are spoken.

        Args:
            order: Their numbers.
            manner: What is moved.
            voice: By whom.
            level: Of another voice than those that were learned.

        Raises:
            UnsupportedError: The recordings do not reach so high or so low.
        """
        return self.prosody.said(order, level or self.level(voice), manner, units=self.units)

    def heard(self, recording: Heard) -> Contour:
        """Return how the units of a recording are spoken."""
        level = self.level(recording.voice)
        return self.prosody.heard(recording.order, recording.measured, level, units=self.units)

    def level(self, voice: str | None) -> Level:
        """Return the level of a voice; of ``None`` and one that is not known that of the voice nearest to the middle of all.

        The middle itself, between a low voice and a high one, may be nobody's.
        """
        known = self.levels.get(voice or "")
        middle = middle_of(self.levels.values())
        return known or min(self.levels.values(), key=lambda one: abs(one.pitch - middle.pitch))

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for a file."""
        levels = {name: [round(one.pitch, 3), round(one.energy, 3)] for name, one in self.levels.items()}
        return {**self.prosody.to_dictionary(), "levels": levels}

    @classmethod
    def from_dictionary(cls, found: dict[str, Any], *, units: int) -> "VoicedProsody":
        """Rebuild from plain values.

        Raises:
            ArtifactError: They do not fit so many units, or no voice is there.
        """
        levels = {str(name): Level(float(pitch), float(energy)) for name, (pitch, energy) in found["levels"].items()}
        if not levels or not np.isfinite([[one.pitch, one.energy] for one in levels.values()]).all():
            raise ArtifactError("a prosody without a voice", expected="the level of at least one")
        return cls(Prosody.from_dictionary(found, units=units), levels, units)


def learned_voices(recordings: list[Heard], *, units: int, shift: float = 0.0) -> VoicedProsody:
    """Return the prosody of recordings of one or several voices.

    Args:
        recordings: What is learned from.
        units: How many different units there are.
        shift: Semitones by which recordings are moved.
    """
    levels = {
        voice: middle_of([one.level for one in recordings if one.voice == voice])
        for voice in sorted({one.voice for one in recordings})
    }
    return VoicedProsody(learned_prosody(recordings, levels, units=units, shift=shift), levels, units)


def middle_of(levels: Collection[Level]) -> Level:
    """Return the middle of levels; without any pitch it is that of the lowest place on the scale."""
    pitch, energy = (np.array([getattr(one, name) for one in levels]) for name in ("pitch", "energy"))
    known = pitch[~np.isnan(pitch)]
    return Level(float(np.median(known)) if len(known) else 0.0, float(np.median(energy)))
