"""Density (how thickly real items lie around a sample) and coverage (around how many real items a sample lies), by nearest neighbours.

    density  = 1/(k M) sum over samples j, real i of [ |y_j - x_i| < r_i ]
    coverage = 1/N     sum over real i of [ some sample j has |y_j - x_i| < r_i ]

with r_i the distance of the real item i to its k-th nearest real neighbour. Both take their neighbourhoods from real items only, so one odd
sample does not cover half of the space, as it does in recall. Density is 1 on average for real items, and may be more. Source: Naeem et al.
2020 (arXiv:2002.09797, equations 3 and 4), with k = 5.
"""

import dataclasses

import numpy as np

from makar.evaluation.precision_recall import CHUNK, radii, squared_distances

NEIGHBOURS = 5


@dataclasses.dataclass(frozen=True)
class DensityCoverage:
    """Density, from 0 on, and coverage, 0 to 1."""

    density: float
    coverage: float


def density_coverage(samples: np.ndarray, real: np.ndarray, *, neighbours: int = NEIGHBOURS) -> DensityCoverage:
    """Return density and coverage.

    Args:
        samples: Features of the samples, float ``[items, features]``.
        real: Features of the real items, more of them than ``neighbours``.
        neighbours: Which nearest neighbour gives the radius of a real item.
    """
    samples, real = np.asarray(samples, np.float64), np.asarray(real, np.float64)
    limits = radii(real, neighbours)
    inside = np.zeros(len(real), np.int64)
    for start in range(0, len(samples), CHUNK):
        inside += (squared_distances(samples[start : start + CHUNK], real) < limits).sum(0)
    return DensityCoverage(float(inside.sum() / (neighbours * len(samples))), float((inside > 0).mean()))
