"""How unevenly clips change from frame to frame, in all or where nothing should change: what an eye sees as flicker.

The figure is the mean size of the second difference in time, |x(t+1) - 2 x(t) + x(t-1)|: what stands still, or changes evenly, has none,
and a frame that does not belong has much. Of an edit it is taken where what was given stands still, so that no movement is mistaken for
it.
"""

import numpy as np

STILL_LEVELS = 4
"""Of 255: what differs by no more from one frame to the next stands still; codings of films leave as much."""

LEAST_FRAMES = 3


def flicker(frames: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Return how unevenly clips change, in shares of the range.

    Args:
        frames: uint8 ``[clips, frames, height, width, channels]`` of at least three frames.
        where: Places that count, bool ``[clips, height, width]``; ``None`` for all.

    Returns:
        float64 ``[clips]``; NaN of a clip of which no place counts.
    """
    values = frames.astype(np.float64) / 255
    second = np.abs(values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]).mean((1, 4))
    counted = np.ones(second.shape, bool) if where is None else where
    places = counted.sum((1, 2))
    found: np.ndarray = np.where(counted, second, 0).sum((1, 2)) / np.where(places > 0, places, np.nan)
    return found


def still(frames: np.ndarray) -> np.ndarray:
    """Return where clips stand still from beginning to end, bool ``[clips, height, width]``.

    Args:
        frames: uint8 ``[clips, frames, height, width, channels]``.
    """
    moved = np.abs(np.diff(frames.astype(np.int16), axis=1))
    found: np.ndarray = moved.max((1, 4)) <= STILL_LEVELS
    return found
