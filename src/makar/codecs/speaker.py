"""Who speaks, as a vector: a recording in few numbers that are alike for one speaker and differ between speakers, whatever is said.

Of a recording are taken the mean and the deviation of the loudness of 40 bands over all moments in which something is said, each without
the level of the whole, and the middle and the deviation of its pitch. Of these the directions are kept in which speakers lie far apart in
comparison with recordings of one speaker (linear discriminant analysis: Fisher 1936, in the form for several classes, Rao 1948): with W the
mean covariance within speakers and B that of their means, the eigenvectors of W^-1/2 B W^-1/2, scaled so that recordings of one
speaker have a deviation of 1.

Decision: closed form. It takes a second, has nothing to tune, and some dozens of speakers are too few for a network to learn from what
it must not listen to; all it sees of a recording are means, so a vector says nothing of the words.
"""

import dataclasses
from typing import Any

import numpy as np

from makar.codecs.prosody import Level, Track
from makar.codecs.told_planes import SPEAKER_PLANES
from makar.data.sound import Sound
from makar.data.spectrogram import mel_decibels
from makar.errors import ArtifactError, ConfigError

BANDS = 40
STEP_SECONDS = 0.016
SPOKEN_DB = 35.0
"""Moments that are quieter than the loudest by more than this are pauses."""

FEATURES = 2 * BANDS + 2
SEMITONES, DECIBELS = 4.0, 6.0
"""What counts as much of pitch as of loudness before anything is learned."""

FEWEST_SPEAKERS = 2
RIDGE = 0.02
"""Share of the mean variance that is added to every direction: a few recordings tell no covariance of 82 numbers."""

FARTHEST = 3.0
"""Deviations of the speakers that are told apart on the way to 0 and to 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class SpeakerSpace:
    """In which directions speakers lie apart.

    Attributes:
        mean: Of what is taken of recordings, float64 ``[FEATURES]``.
        directions: float64 ``[FEATURES, dimensions]``.
        spread: Deviation of the speakers along each, float64 ``[dimensions]``; recordings of one have 1.
    """

    mean: np.ndarray
    directions: np.ndarray
    spread: np.ndarray

    def vector(self, features: np.ndarray) -> np.ndarray:
        """Return where a recording lies, float64 ``[dimensions]``.

        Args:
            features: Of ``speaker_features``.
        """
        found: np.ndarray = (features - self.mean) @ self.directions
        return found

    def planes(self, features: np.ndarray) -> np.ndarray:
        """Return what a model is told of every frame, float64 ``[SPEAKER_PLANES]`` in 0..1; 0.5 is the middle of all speakers."""
        told = np.full(SPEAKER_PLANES, 0.5)
        told[: len(self.spread)] += self.vector(features) / (2 * FARTHEST * self.spread)
        return np.clip(told, 0, 1)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {name: getattr(self, name).round(6).tolist() for name in ("mean", "directions", "spread")}

    @classmethod
    def from_dictionary(cls, found: dict[str, Any]) -> "SpeakerSpace":
        """Rebuild from plain values.

        Raises:
            ArtifactError: They have another shape.
        """
        mean, directions, spread = (np.asarray(found[name], np.float64) for name in ("mean", "directions", "spread"))
        is_whole = (
            mean.shape == (FEATURES,)
            and spread.ndim == 1
            and 1 <= len(spread) <= SPEAKER_PLANES
            and directions.shape == (FEATURES, len(spread))
            and np.isfinite(directions).all()
            and (spread > 0).all()
        )
        if not is_whole:
            raise ArtifactError(
                f"directions of speakers of shape {list(directions.shape)}",
                expected=f"[{FEATURES}, 1 to {SPEAKER_PLANES}]",
            )
        return cls(mean, directions, spread)


@dataclasses.dataclass(frozen=True, eq=False)
class HeardVoice:
    """A voice as it is known from one recording.

    Attributes:
        planes: What a model is told of every frame of whose voice it is, float64 in 0..1.
        level: Around what it moves.
    """

    planes: np.ndarray
    level: Level


def speaker_features(sound: Sound, track: Track) -> np.ndarray:
    """Return what is taken of a recording, float64 ``[FEATURES]``.

    Args:
        sound: At the rate that all recordings have.
        track: Its pitch and power.
    """
    hop = max(1, round(STEP_SECONDS * sound.rate_hz))
    loudness = mel_decibels(sound.mono(), rate_hz=sound.rate_hz, hop=hop, mels=BANDS).T.astype(np.float64)
    level = loudness.max(1)
    spoken = np.maximum(loudness[level >= level.max() - SPOKEN_DB], level.max() - 2 * SPOKEN_DB)
    pitch = track.pitch[~np.isnan(track.pitch)]
    middle, width = (np.median(pitch), pitch.std()) if len(pitch) else (0.0, 0.0)
    return np.concatenate(
        [(spoken.mean(0) - spoken.mean()) / DECIBELS, spoken.std(0) / DECIBELS, [middle / SEMITONES, width / SEMITONES]]
    )


def learned_space(features: list[np.ndarray], voices: list[str]) -> SpeakerSpace:
    """Return in which directions speakers lie apart.

    Args:
        features: Of every recording, from ``speaker_features``.
        voices: By whom each is spoken.

    Raises:
        ConfigError: There is one speaker only, or none that is heard twice.
    """
    names = sorted(set(voices))
    if len(names) < FEWEST_SPEAKERS or len(voices) == len(names):
        raise ConfigError(
            f"{len(names)} speakers in {len(voices)} recordings",
            expected=f"at least {FEWEST_SPEAKERS} with several recordings each, one folder a speaker; better dozens",
        )
    seen, number = np.stack(features), np.array([names.index(voice) for voice in voices])
    counts = np.bincount(number, minlength=len(names))
    means = np.stack([seen[number == one].mean(0) for one in range(len(names))])
    apart = seen - means[number]
    within = apart.T @ apart / (len(seen) - len(names))
    within += RIDGE * np.trace(within) / FEATURES * np.eye(FEATURES)
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values) @ vectors.T
    middle = counts @ means / counts.sum()
    between = (means - middle) @ whiten
    covariance = between.T @ (between * counts[:, None]) / counts.sum()
    strengths, axes = np.linalg.eigh(covariance)
    kept = min(SPEAKER_PLANES, len(names) - 1)
    # From the largest on; what is left of rounding is no direction.
    strengths, axes = strengths[::-1][:kept], axes[:, ::-1][:, :kept]
    told = strengths > 1e-9 * max(float(strengths[0]), 1e-9)
    spread = np.sqrt(1 + np.maximum(strengths[told], 0))
    return SpeakerSpace(middle, whiten @ axes[:, told], spread)
