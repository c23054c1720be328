"""The Frechet distance between two sets of features, each taken as a normal distribution: FID.

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

Source: Dowson & Landau 1982; Heusel et al. 2017 (arXiv:1706.08500, equation 6). The trace of the root is the sum of the roots of the
eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric, so that no complex numbers arise. The distance falls with the number of items
(Chong & Forsyth 2020, arXiv:1911.07023), so it only means something beside the distance of real from real items at the same number.
"""

import numpy as np

from makar.evaluation.bootstrap import CONFIDENCE, Interval


def frechet_distance(features: np.ndarray, other: np.ndarray) -> float:
    """Return the squared Frechet distance.

    Args:
        features: float ``[items, features]``, at least two items.
        other: The other set, with the same number of features.
    """
    first, second = np.asarray(features, np.float64), np.asarray(other, np.float64)
    difference = first.mean(0) - second.mean(0)
    first_covariance = np.atleast_2d(np.cov(first, rowvar=False))
    second_covariance = np.atleast_2d(np.cov(second, rowvar=False))
    values, vectors = np.linalg.eigh(first_covariance)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    product = np.linalg.eigvalsh(root @ second_covariance @ root)
    trace = np.trace(first_covariance) + np.trace(second_covariance) - 2 * np.sqrt(np.clip(product, 0, None)).sum()
    return float(max(0.0, difference @ difference + trace))


def frechet_interval(features: np.ndarray, other: np.ndarray, *, seed: int = 0, resamples: int = 100) -> Interval:
    """Return the distance with a bootstrap interval over the items of the first set, centred on the value.

    A resampled set holds fewer different items, which raises every distance; therefore only the spread of the resampled
    distances around their mean is used, mirrored around the value as in the basic bootstrap interval.
    """
    generator = np.random.default_rng(seed)
    value = frechet_distance(features, other)
    draws = [
        frechet_distance(features[generator.integers(0, len(features), len(features))], other) for _ in range(resamples)
    ]
    centre, tail = float(np.mean(draws)), (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(value, max(0.0, value - (float(high) - centre)), value + (centre - float(low)))
