"""How two rows of numbers go together: Pearson's correlation, and Spearman's, which is that of their ranks; with intervals over items."""

import numpy as np

from makar.evaluation.bootstrap import Interval, interval_of


def pearson(first: np.ndarray, second: np.ndarray, times: np.ndarray | None = None) -> float:
    """Return the correlation of two rows of numbers; 0 where one of them never changes.

    Args:
        first: float ``[items]``.
        second: float ``[items]``.
        times: How many times each item is taken.
    """
    weights = np.ones(len(first)) if times is None else times
    total = weights.sum()
    away = [values - (weights @ values) / total for values in (first, second)]
    product, *squares = (weights @ (one * other) for one, other in (away, (away[0],) * 2, (away[1],) * 2))
    below = float(np.sqrt(squares[0] * squares[1]))
    return float(product) / below if below > 0 else 0.0


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the place of each number from the least on, from 0 on; equal ones share the mean of theirs."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    after = np.cumsum(counts)
    return np.asarray((after - (counts + 1) / 2)[number])


def pearson_interval(first: np.ndarray, second: np.ndarray) -> Interval:
    """Return Pearson's correlation with its interval."""
    return interval_of(lambda times: pearson(first, second, times), len(first))


def spearman_interval(first: np.ndarray, second: np.ndarray) -> Interval:
    """Return Spearman's correlation with its interval; ranks are those among all items."""
    return pearson_interval(ranks(first), ranks(second))
