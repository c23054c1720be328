"""The kernel distance between two sets of features: KID, the unbiased squared maximum mean discrepancy.

    k(x, y) = (x.y / d + 1)^3
    MMD^2 = mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean of k(x_i, y_j)

Source: Gretton et al. 2012 (lemma 6); Binkowski et al. 2018 (arXiv:1801.01401, section 4). Unlike FID its mean does not depend on the
number of items; it may fall below 0 by chance. The interval is that of random subsets of equal size.
"""

import numpy as np

from makar.evaluation.bootstrap import Z_95, Interval

SUBSETS = 50
SUBSET_ITEMS = 500


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
    """Return the kernel distance as the mean over random subsets, with the interval of that mean.

    Args:
        features: float ``[items, features]``.
        other: The other set.
        seed: Seed of the subsets.
    """
    generator = np.random.default_rng(seed)
    items = min(SUBSET_ITEMS, len(features), len(other))
    distances = np.array(
        [
            kernel_distance(
                features[generator.choice(len(features), items, replace=False)],
                other[generator.choice(len(other), items, replace=False)],
            )
            for _ in range(SUBSETS)
        ]
    )
    value = float(distances.mean())
    # Subsets of one set overlap: their spread divided by the number of disjoint ones is the honest error of the mean.
    disjoint = max(1.0, min(len(features), len(other)) / items)
    half = Z_95 * float(distances.std(ddof=1)) / np.sqrt(disjoint)
    return Interval(value, value - half, value + half)


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _mean_without_diagonal(values: np.ndarray) -> float:
    count = len(values)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))
