"""Where the right one stands among others, by similarity: first, among the first five, and the middle of all places.

"Among 100" is not measured on one draw of 99 others but as its expectation over all of them: with b of the o others more similar than the
right one, the chance that fewer than k of c - 1 drawn ones are among these b is hypergeometric ::

    sum over j < k of C(b, j) C(o - b, c - 1 - j) / C(o, c - 1)

What is exactly as similar as the right one counts as more similar, so that a model which says the same of everything finds nothing.
"""

import functools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from makar.evaluation.bootstrap import RESAMPLES, Interval, mean_interval


def more_similar(
    similarity: Float[np.ndarray, "items choices"], right: Int[np.ndarray, " items"]
) -> Int[np.ndarray, " items"]:
    """Return how many choices are at least as similar to each item as the right one, itself not counted."""
    own = np.take_along_axis(similarity, right[:, None], 1)
    return (similarity >= own).sum(1) - 1


def place_shares(
    better: Int[np.ndarray, " items"], *, others: int, among: int, first: int
) -> Float[np.ndarray, " items"]:
    """Return for each item the chance that the right one is among the first, of so many choices in all.

    Args:
        better: From ``more_similar``.
        others: Wrong choices that there are.
        among: Choices that are looked at together, the right one included; at most ``others`` + 1.
        first: How many places count.
    """
    return np.array([_place_share(int(count), others, min(among, others + 1) - 1, first) for count in better])


@functools.cache
def _place_share(better: int, others: int, drawn: int, first: int) -> float:
    ways = math.comb(others, drawn)
    return (
        sum(math.comb(better, j) * math.comb(others - better, drawn - j) for j in range(min(first, drawn + 1))) / ways
    )


def place_interval(better: Int[np.ndarray, " items"], *, others: int, among: int, first: int) -> Interval:
    """Return the mean of ``place_shares`` with its interval over items."""
    return mean_interval(place_shares(better, others=others, among=among, first=first))


def median_interval(values: Float[np.ndarray, " items"] | Int[np.ndarray, " items"], *, seed: int = 0) -> Interval:
    """Return the median of one number an item with the interval over resampled items."""
    values = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    medians = np.median(values[draws], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return Interval(float(np.median(values)), float(low), float(high))


def gain_at(scores: Float[np.ndarray, " items"], gains: Float[np.ndarray, " items"], first: int = 10) -> float:
    """Return the discounted gain of the first places of an order, as a share of that of the best order (nDCG).

    With g the gain at place i the sum is that of g / log2(i + 1) (Jarvelin and Kekalainen 2002); equal scores stay in their order.

    Args:
        scores: What the order is by, the highest first.
        gains: How good each item is, 0 or more; 0 where it is not judged.
        first: How many places count.

    Returns:
        0 to 1; 0 where nothing is good.
    """
    discounts = 1.0 / np.log2(np.arange(2, min(first, len(scores)) + 2))
    best = float(np.sort(gains)[::-1][: len(discounts)] @ discounts)
    own = float(gains[np.argsort(-scores, kind="stable")[: len(discounts)]] @ discounts)
    return own / best if best > 0 else 0.0


def gain_of_names(found: Sequence[str], grades: Mapping[str, float], *, first: int = 10) -> float:
    """Return nDCG of names in the order in which they were found; what has no grade counts 0.

    Args:
        found: Names, the best first, each once.
        grades: How good each is, 0 or more; of those that were not found too.
        first: How many places count.

    Returns:
        0 to 1; 0 where nothing is good.
    """
    best = sorted(grades.values(), reverse=True)[:first]
    ideal = sum(grade / math.log2(place + 2) for place, grade in enumerate(best))
    reached = sum(grades.get(name, 0.0) / math.log2(place + 2) for place, name in enumerate(found[:first]))
    return reached / ideal if ideal > 0 else 0.0


def recall_of_names(found: Sequence[str], wanted: Collection[str], *, first: int) -> float:
    """Return the share of what is wanted that is among the first names; 0 where nothing is wanted."""
    return len(set(wanted) & set(found[:first])) / len(set(wanted)) if wanted else 0.0


def reciprocal_rank(found: Sequence[str], wanted: Collection[str]) -> float:
    """Return 1 / place of the first wanted name, 0 where none was found (its mean is MRR: Voorhees 1999, TREC-8).

    >>> reciprocal_rank(["a", "b"], {"b"})
    0.5
    """
    return next((1 / place for place, name in enumerate(found, 1) if name in wanted), 0.0)
