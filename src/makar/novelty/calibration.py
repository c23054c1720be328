"""Sets the limit between new and copied on held-out items made by people, so that about 1 % of new ones are beyond it.

Source: split conformal prediction (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173): with n exchangeable items, the k-th smallest
value with k = floor(share * (n + 1)) is undercut by a new item with a probability of at most ``share``. With fewer than
1 / share - 1 items there is no such k, and the limit is the smallest value seen.
"""

import numpy as np

FALSE_ALARM_SHARE = 0.01


def lower_limit(values: np.ndarray, share: float = FALSE_ALARM_SHARE) -> float:
    """Return the value that at most a ``share`` of new items of the same kind lie at or below.

    Args:
        values: One number an item, float ``[items]``, at least one.
        share: Accepted rate of false alarms, 0 to 1.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    rank = int(np.floor(share * (len(ordered) + 1)))
    # The limit itself counts as beyond, therefore it lies just under the item that stands at this rank.
    return float(np.nextafter(ordered[max(rank, 1) - 1], -np.inf))


def upper_limit(values: np.ndarray, share: float = FALSE_ALARM_SHARE) -> float:
    """Return the value that at most a ``share`` of new items of the same kind lie at or above."""
    return -lower_limit(-np.asarray(values, np.float64), share)
