"""A recording as the same voice would sound higher or lower, louder or quieter: so that a model hears more than its speaker does.

A picture is what sounds, times what it sounds through. At a moment with the pitch f, the mean of the decibels of a spectrum over every
stretch of the width f is what it sounds through, since one harmonic lies in each; what is left over rises and falls with the harmonics.
For a pitch r times as high the latter is stretched by r along the frequencies and the former stays where it is, so formants, and with
them who speaks and what, are kept (the split of Kawahara et al. 1999, "Restructuring speech representations using a pitch-adaptive
time-frequency smoothing", in its simplest form). Rhythm and moments without a pitch stay as they are. It is never played: a model learns
from the picture.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from hashlib import sha256

import numpy as np

from makar.codecs.hearing import fitting
from makar.codecs.hearing_config import HearingConfig
from makar.codecs.pitch import SEMITONE_HZ, STEP_SECONDS
from makar.codecs.prosody import Track
from makar.data.record import Record
from makar.data.sound import Sound
from makar.data.spectrogram import OVERLAP, mel_decibels_of, picture_of, spectrum_power

MOVED_SHARE = 0.5
"""Of the recordings: so many are learned from a second time."""

MOVED = " moved"
"""What the name of a record ends in that is one of them."""


@dataclasses.dataclass(frozen=True)
class Move:
    """By how much a recording is moved.

    Attributes:
        pitch: In semitones.
        energy: In decibels.
    """

    pitch: float
    energy: float


def with_moved(records: Iterable[Record], *, most_pitch: float, most_energy: float) -> Iterator[Record]:
    """Yield records, and some of those that are learned from a second time, to be moved; always the same ones.

    Args:
        records: The records.
        most_pitch: Semitones at most; where both are 0 nothing is added.
        most_energy: Decibels at most.
    """
    for record in records:
        yield record
        # What is measured is measured on recordings as they are.
        is_learned = record.split == "train" and bool(most_pitch or most_energy)
        if is_learned and _drawn(record.id).random() < MOVED_SHARE:
            yield dataclasses.replace(record, id=record.id + MOVED)


def move_for(record: Record, *, most_pitch: float, most_energy: float) -> Move | None:
    """Return how a record is moved; ``None`` where it is learned from as it is.

    Args:
        record: The record.
        most_pitch: Semitones at most.
        most_energy: Decibels at most.
    """
    if not record.id.endswith(MOVED):
        return None
    pitch, energy = _drawn(record.id).uniform(-1, 1, 2)
    return Move(float(pitch) * most_pitch, float(energy) * most_energy)


def _drawn(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(sha256(name.encode()).digest()[:8]))


def moved_picture(sound: Sound, config: HearingConfig, track: Track, move: Move) -> np.ndarray:
    """Return the picture of a recording that is moved, uint8 ``[mels, frames, 1]``; behind its end it is silent.

    Args:
        sound: The recording.
        config: Settings of the codec.
        track: Its pitch.
        move: By how much.
    """
    power = spectrum_power(fitting(sound, config), hop=config.hop)[: config.frames]
    loud = 10 * np.log10(np.maximum(power, 1e-12))
    width = config.rate_hz / (OVERLAP * config.hop)
    moments = np.round(np.arange(len(power)) * config.hop / config.rate_hz / STEP_SECONDS).astype(np.int64)
    pitch = track.pitch[np.minimum(moments, len(track.pitch) - 1)]
    voiced = np.flatnonzero(~np.isnan(pitch))
    periods = SEMITONE_HZ * 2 ** (pitch[voiced] / 12) / width
    loud[voiced] = _stretched(loud[voiced], periods, 2 ** (move.pitch / 12))
    decibels = mel_decibels_of(10 ** ((loud + move.energy) / 10), rate_hz=config.rate_hz, mels=config.mels)
    drawn = picture_of(decibels, loudest=config.loudest_db)
    after = config.frames - drawn.shape[1]
    return np.ascontiguousarray(np.pad(drawn, ((0, 0), (0, after)))[:, :, None])


def _stretched(loud: np.ndarray, periods: np.ndarray, ratio: float) -> np.ndarray:
    """Return spectra whose harmonics lie ``ratio`` times as far apart under the same outline.

    Args:
        loud: Decibels, ``[moments, frequencies]``.
        periods: From one harmonic to the next, in frequencies, ``[moments]``.
        ratio: How far they are moved apart.
    """
    count = loud.shape[1]
    places = np.arange(count)
    sums = np.concatenate([np.zeros((len(loud), 1)), np.cumsum(loud, axis=1)], axis=1)
    # The mean over a stretch that ends between two frequencies takes its part of both: a straight line between their sums.
    low = np.clip(places - periods[:, None] / 2 + 0.5, 0, count)
    high = np.clip(places + periods[:, None] / 2 + 0.5, 0, count)
    outline = (_between(sums, high) - _between(sums, low)) / (high - low)
    rest = loud - outline
    there = np.broadcast_to(places / ratio, loud.shape)
    moved = outline + np.where(there <= count - 1, _between(rest, np.minimum(there, count - 1)), 0.0)
    # Fewer harmonics of the same height are quieter together: a pitch is no energy, so every moment stays as loud as it was.
    lost = 10 * np.log10((10 ** (loud / 10)).sum(1) / (10 ** (moved / 10)).sum(1))
    louder: np.ndarray = moved + lost[:, None]
    return louder


def _between(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return values at places between whole ones, row by row, along straight lines."""
    first = np.minimum(places.astype(np.int64), values.shape[1] - 2)
    share = places - first
    near, far = np.take_along_axis(values, first, 1), np.take_along_axis(values, first + 1, 1)
    found: np.ndarray = near + share * (far - near)
    return found
