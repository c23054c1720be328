"""Intervals by resampling: what a figure could have been with other items of the same kind.

Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap" (percentile interval; ratio of sums over resampled items); Wilson
1927 for proportions. Every draw comes from a numpy generator with a fixed seed, so a report can be made again.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
Z_95 = 1.959963984540054
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Quantiles of Student's distribution for 1 to 9 degrees of freedom."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A figure with the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float

    def to_dictionary(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


def ratio_interval(
    numerators: np.ndarray, denominators: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Return the ratio of two sums over items, with the interval over resampled items.

    Args:
        numerators: One number an item, for example bits; float ``[items]``.
        denominators: One number an item, for example bytes; their sum is not 0.
        seed: Seed of the resampling.
        resamples: Number of resampled sets.
    """
    numerators, denominators = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    value = float(numerators.sum() / denominators.sum())
    if len(numerators) < 2:
        return Interval(value, value, value)
    counts = _resampled_counts(len(numerators), resamples, seed)
    below = counts @ denominators
    ratios = (counts @ numerators)[below > 0] / below[below > 0]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def mean_interval(values: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the mean of one number an item with its interval."""
    values = np.asarray(values, np.float64)
    return ratio_interval(values, np.ones(len(values)), seed=seed)


def interval_of(
    score: Callable[[np.ndarray], float], items: int, *, seed: int = 0, resamples: int = RESAMPLES // 4
) -> Interval:
    """Return a figure of all items together with its interval over resampled items.

    Args:
        score: From how many times each item is taken, float ``[items]``, to the figure.
        items: Number of items.
        seed: Seed of the resampling.
        resamples: Number of resampled sets.
    """
    value = score(np.ones(items))
    if items < 2:
        return Interval(value, value, value)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile([score(times) for times in _resampled_counts(items, resamples, seed)], [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def repeated_interval(values: Sequence[float]) -> Interval:
    """Return the mean of a figure that was measured several times anew, with Student's interval of that mean.

    Args:
        values: One figure a repetition, 1 to 10; of one alone nothing is known about its spread.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = T_95[len(values) - 2] * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Interval(mean, mean - half, mean + half)


def share_interval(hits: float, items: int) -> Interval:
    """Return the share of hits among items with Wilson's interval, which is sound at 0 and 1 too; a half of a hit counts as one."""
    if items == 0:
        return Interval(0.0, 0.0, 1.0)
    share = hits / items
    centre = (share + Z_95**2 / (2 * items)) / (1 + Z_95**2 / items)
    half = Z_95 / (1 + Z_95**2 / items) * math.sqrt(share * (1 - share) / items + Z_95**2 / (4 * items**2))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def _resampled_counts(items: int, resamples: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.multinomial(items, np.full(items, 1 / items), size=resamples).astype(np.float64)
