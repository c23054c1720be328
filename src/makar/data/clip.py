"""A clip: pictures of one size that follow each other at even times, and what is done to one without a model.

Even times make everything else simple: a clip of another rate shows, at each of its own times, the picture that was last seen then, as a
player does, so nothing is mixed and a clip at its own rate is the clip itself.
"""

import dataclasses

import numpy as np

SHEET_SIDE = 2
"""Pictures along each side of the sheet by which clips are compared."""


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A moving picture.

    Attributes:
        frames: uint8 ``[frames, height, width, channels]``, 1, 3 or 4 channels.
        rate_hz: Frames a second.
    """

    frames: np.ndarray
    rate_hz: float

    def __eq__(self, other: object) -> bool:
        """Whether another clip shows the same at the same times."""
        return isinstance(other, Clip) and self.rate_hz == other.rate_hz and np.array_equal(self.frames, other.frames)

    def __hash__(self) -> int:
        """Return a hash of size and rate, which equal clips share."""
        return hash((self.frames.shape, self.rate_hz))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.frames) / self.rate_hz

    def tobytes(self) -> bytes:
        """Return frames, size and rate as bytes, for hashes."""
        return repr((self.frames.shape, self.rate_hz)).encode() + np.ascontiguousarray(self.frames).tobytes()

    def at_rate(self, rate_hz: float) -> "Clip":
        """Return the clip at another rate, as long as before: the picture that is seen at each of the new times."""
        if rate_hz == self.rate_hz:
            return self
        count = max(1, round(self.seconds * rate_hz))
        # The middle of each new frame: rounding of the times then never falls between two pictures.
        shown = np.floor((np.arange(count) + 0.5) / rate_hz * self.rate_hz).astype(np.int64)
        return Clip(self.frames[np.clip(shown, 0, len(self.frames) - 1)], rate_hz)

    def held_to(self, frames: int) -> "Clip":
        """Return the clip with its last picture held until there are so many; a longer one is cut off."""
        shown = np.minimum(np.arange(frames), len(self.frames) - 1)
        return Clip(self.frames[shown], self.rate_hz)

    def between(self, start: int, end: int) -> "Clip":
        """Return the frames from ``start`` up to, not including, ``end``."""
        return Clip(self.frames[start:end], self.rate_hz)


def sheet_of(frames: np.ndarray) -> np.ndarray:
    """Return four frames of a clip, even in time, as one picture, read like a page: by it clips are compared.

    Args:
        frames: uint8 ``[frames, height, width, channels]``.

    Returns:
        uint8 ``[2 height, 2 width, channels]``.
    """
    _, height, width, channels = frames.shape
    chosen = frames[np.linspace(0, len(frames) - 1, SHEET_SIDE**2).round().astype(np.int64)]
    grid = chosen.reshape(SHEET_SIDE, SHEET_SIDE, height, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(SHEET_SIDE * height, SHEET_SIDE * width, channels))


def strip_of(frames: np.ndarray, *, gap: int = 1) -> np.ndarray:
    """Return all frames of a clip side by side with a white gap, uint8 ``[height, width, channels]``: a film strip.

    Args:
        frames: uint8 ``[frames, height, width, channels]``.
        gap: White columns after each frame but the last.
    """
    white = np.full((frames.shape[1], gap, frames.shape[3]), 255, np.uint8)
    parts = [part for frame in frames for part in (frame, white)]
    return np.concatenate(parts[:-1], axis=1)
