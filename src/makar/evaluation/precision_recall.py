"""Precision (do samples look real?) and recall (is all that is real made?) of a set of samples, by nearest neighbours.

A point lies in the manifold of a set when it is within the distance from some item of the set to that item's k-th nearest neighbour.
Precision is the share of samples in the manifold of the real items, recall the share of real items in the manifold of the samples.
Source: Kynkaanniemi et al. 2019 (arXiv:1904.06991, equations 1 and 2), with k = 3.
"""

import dataclasses

import numpy as np

NEIGHBOURS = 3
CHUNK = 2048


@dataclasses.dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall, with the number of samples and real items inside the other's manifold."""

    precision: float
    recall: float
    samples: int
    real: int


def precision_recall(samples: np.ndarray, real: np.ndarray, *, neighbours: int = NEIGHBOURS) -> PrecisionRecall:
    """Return precision and recall.

    Args:
        samples: Features of the samples, float ``[items, features]``, more items than ``neighbours``.
        real: Features of the real items.
        neighbours: Which nearest neighbour gives the radius of an item.
    """
    samples, real = np.asarray(samples, np.float64), np.asarray(real, np.float64)
    precision = _share_inside(samples, real, radii(real, neighbours))
    recall = _share_inside(real, samples, radii(samples, neighbours))
    return PrecisionRecall(precision, recall, len(samples), len(real))


def radii(items: np.ndarray, neighbours: int) -> np.ndarray:
    """Return the squared distance of every item to its nearest neighbour number ``neighbours``, float64 ``[items]``."""
    parts = []
    for start in range(0, len(items), CHUNK):
        distances = squared_distances(items[start : start + CHUNK], items)
        # Position 0 is the item itself.
        parts.append(np.partition(distances, neighbours, axis=1)[:, neighbours])
    return np.concatenate(parts)


def _share_inside(points: np.ndarray, items: np.ndarray, radii: np.ndarray) -> float:
    inside = 0
    for start in range(0, len(points), CHUNK):
        inside += int((squared_distances(points[start : start + CHUNK], items) <= radii).any(axis=1).sum())
    return inside / len(points)


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the squared distance of every item of one set to every item of another, ``[first, second]``."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.clip(squares, 0, None)
