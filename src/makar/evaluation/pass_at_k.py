"""pass@k: the probability that at least one of k samples solves a problem, from n samples of which c do, without bias.

    pass@k = E over problems [ 1 - C(n - c, k) / C(n, k) ]            (Chen et al. 2021, arXiv 2107.03374, equation 1)

computed as a product, so that no large number appears: C(n - c, k) / C(n, k) = prod over i in n-c+1..n of (1 - k / i). The naive
1 - (1 - c/n)^k is too low.
"""

from collections.abc import Sequence

import numpy as np

from makar.errors import UsageError
from makar.evaluation.bootstrap import Interval, mean_interval


def pass_at_k(samples: int, solved: int, k: int) -> float:
    """Return the estimate for one problem.

    Args:
        samples: Samples that were drawn, n.
        solved: Those that solve it, c.
        k: Samples that one would look at, at most n.

    Raises:
        UsageError: The numbers cannot be.

    >>> pass_at_k(10, 3, 1), pass_at_k(2, 1, 2), pass_at_k(5, 0, 5)
    (0.3, 1.0, 0.0)
    """
    if not 1 <= k <= samples or not 0 <= solved <= samples:
        raise UsageError(
            f"pass@{k} of {solved} in {samples} samples", expected="1 <= k <= samples, 0 <= solved <= samples"
        )
    if samples - solved < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - solved + 1, samples + 1))) if solved else 0.0


def mean_pass_at_k(samples: int, solved: Sequence[int], k: int) -> Interval:
    """Return the mean over problems with its interval over resampled problems.

    Args:
        samples: Samples of each problem.
        solved: How many of each solve it.
        k: Samples that one would look at.
    """
    return mean_interval(np.array([pass_at_k(samples, count, k) for count in solved]))
