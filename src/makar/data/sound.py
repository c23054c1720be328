"""A sound: its samples between -1 and 1 and how many there are in a second."""

import dataclasses

import numpy as np

from makar.errors import DataError

LARGEST_RATE_HZ = 384_000
MOST_CHANNELS = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Sound:
    """A sound.

    Attributes:
        samples: float32 ``[samples, channels]``, -1 to 1; louder ones are kept as they are.
        rate_hz: Samples a second.
    """

    samples: np.ndarray
    rate_hz: int

    def __post_init__(self) -> None:
        """Check shape, type and rate.

        Raises:
            DataError: They are not those of a sound.
        """
        if (
            self.samples.ndim != 2
            or self.samples.dtype != np.float32
            or not 1 <= self.samples.shape[1] <= MOST_CHANNELS
        ):
            raise DataError(
                f"a sound of type {self.samples.dtype} and shape {list(self.samples.shape)}",
                expected=f"float32 [samples, channels], at most {MOST_CHANNELS} channels",
            )
        if not 1 <= self.rate_hz <= LARGEST_RATE_HZ:
            raise DataError(f"a sound of {self.rate_hz} samples a second", expected=f"1 to {LARGEST_RATE_HZ}")

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate_hz

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, channels)."""
        return (int(self.samples.shape[0]), int(self.samples.shape[1]))

    def mono(self) -> np.ndarray:
        """Return the mean of the channels, float32 ``[samples]``."""
        if self.samples.shape[1] == 1:
            return self.samples[:, 0]
        mixed: np.ndarray = self.samples.mean(axis=1, dtype=np.float32)
        return mixed

    def tobytes(self) -> bytes:
        """Return rate, shape and samples as bytes, by which a sound is told from others."""
        samples, channels = self.samples.shape
        head = f"sound float32 {self.rate_hz} {samples} {channels}\n".encode("ascii")
        return head + np.ascontiguousarray(self.samples, "<f4").tobytes()


def resampled(sound: Sound, rate_hz: int) -> Sound:
    """Return a sound at another rate.

    Args:
        sound: Any sound.
        rate_hz: Samples a second that are wanted.

    Raises:
        DataError: The rate is another one and the package for it is missing.
    """
    if sound.rate_hz == rate_hz:
        return sound
    try:
        import soxr
    except ImportError as error:
        raise DataError(
            f"a sound of {sound.rate_hz} samples a second where {rate_hz} are needed",
            expected="the package soxr, which resamples",
            do='pip install "makar[audio]"',
        ) from error
    samples = soxr.resample(np.ascontiguousarray(sound.samples), sound.rate_hz, rate_hz, quality="HQ")
    return Sound(np.asarray(samples, np.float32).reshape(-1, sound.samples.shape[1]), rate_hz)
