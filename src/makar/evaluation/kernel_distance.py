"""The kernel distance between two sets of features: KID, the unbiased squared maximum mean discrepancy.

    k(x, y) = (x.y / d + 1)^3
    MMD^2 = mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean of k(x_i, y_j)

Source: Gretton et al. 2012 (lemma 6); Binkowski et al. 2018 (arXiv:1801.01401, section 4). Unlike FID its mean does not depend on the
number of items; it may fall below 0 by chance.
"""

import numpy as np

from makar.evaluation.bootstrap import Interval, repeated_interval

BLOCKS = 10
LEAST_BLOCK = 4


def kernel_distance(features: np.ndarray, other: np.ndarray) -> float:
    """Return the unbiased squared kernel distance.

    Args:
        features: float ``[items, features]``, at least two items.
        other: The other set, with the same number of features.
    """
    first, second = np.asarray(features, np.float64), np.asarray(other, np.float64)
    within = _mean_without_diagonal(_kernel(first, first)) + _mean_without_diagonal(_kernel(second, second))
    return float(within - 2 * _kernel(first, second).mean())


def kernel_interval(features: np.ndarray, other: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the kernel distance with an interval from the spread over disjoint blocks of both sets.

    Blocks are smaller than the sets, which makes the interval rather too wide than too narrow.

    Args:
        features: float ``[items, features]``.
        other: The other set.
        seed: Seed of the division into blocks.
    """
    generator = np.random.default_rng(seed)
    value = kernel_distance(features, other)
    blocks = min(BLOCKS, len(features) // LEAST_BLOCK, len(other) // LEAST_BLOCK)
    if blocks < 2:
        return Interval(value, value, value)
    parts = [np.array_split(generator.permutation(len(items)), blocks) for items in (features, other)]
    distances = [kernel_distance(features[first], other[second]) for first, second in zip(*parts)]
    spread = repeated_interval(distances)
    return Interval(value, value - (spread.value - spread.low), value + (spread.high - spread.value))


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _mean_without_diagonal(values: np.ndarray) -> float:
    count = len(values)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))
