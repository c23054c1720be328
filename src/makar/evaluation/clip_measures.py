"""Figures of clips that need no network: how near a picture is to another, and what two controls look like."""

import numpy as np

MOST_PSNR_DB = 60.0
"""Equal pictures have none; the mean of many should not be infinite for one of them."""


def psnr(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio of clips in decibels, float64 ``[clips]``, at most 60.

    Args:
        made: uint8 ``[clips, frames, height, width, channels]``.
        real: The same.
    """
    error = np.square(made.astype(np.float64) - real.astype(np.float64)).mean((1, 2, 3, 4)) / 255**2
    found: np.ndarray = np.minimum(-10 * np.log10(np.maximum(error, 1e-12)), MOST_PSNR_DB)
    return found


def structural_similarity(made: np.ndarray, real: np.ndarray, *, window: int = 8) -> np.ndarray:
    """Return the structural similarity of clips, frame by frame in square windows one pixel apart, float64 ``[clips]``.

    Args:
        made: uint8 ``[clips, frames, height, width, channels]``.
        real: The same.
        window: Pixels along each side; Wang et al. weigh 11 pixels by a Gaussian, an even window of 8 was their first form.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, IEEE TIP 13(4), equation 13.
    """
    first, second = (values.astype(np.float64).mean(-1) / 255 for values in (made, real))
    small, smaller = 0.01**2, 0.03**2
    mean_first, mean_second = _means(first, window), _means(second, window)
    variance_first = _means(first**2, window) - mean_first**2
    variance_second = _means(second**2, window) - mean_second**2
    joint = _means(first * second, window) - mean_first * mean_second
    alike = (2 * mean_first * mean_second + small) * (2 * joint + smaller)
    alike /= (mean_first**2 + mean_second**2 + small) * (variance_first + variance_second + smaller)
    found: np.ndarray = alike.mean((1, 2, 3))
    return found


def blended(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Return clips that go from one picture to another by mixing them, the control of what lies between.

    Args:
        first: uint8 ``[clips, height, width, channels]``.
        last: The same.
        count: Frames, both ends included.

    Returns:
        uint8 ``[clips, count, height, width, channels]``.
    """
    share = np.linspace(0, 1, count)[None, :, None, None, None]
    mixed = (1 - share) * first[:, None] + share * last[:, None]
    return np.rint(mixed).astype(np.uint8)


def held(frames: np.ndarray, known: int) -> np.ndarray:
    """Return clips that stand still from frame ``known`` - 1 on, the control of what comes next."""
    shown = np.minimum(np.arange(frames.shape[1]), known - 1)
    return frames[:, shown]


def _means(values: np.ndarray, window: int) -> np.ndarray:
    sums = np.pad(values.cumsum(-1).cumsum(-2), ((0, 0),) * (values.ndim - 2) + ((1, 0), (1, 0)))
    whole = sums[..., window:, window:] - sums[..., :-window, window:] - sums[..., window:, :-window]
    found: np.ndarray = (whole + sums[..., :-window, :-window]) / window**2
    return found
