"""What a sound costs to one who has only counted: the next sample after the two before it, from a table, with shorter tables behind it.

The baseline of WaveNet. A table of the samples seen after each pair is joined with that after one sample and that of all samples, each
weighing as much as it has seen (interpolation as of Witten and Bell 1991); how much a table must have seen to be believed is the value
that suits the held-out sounds best, so that the baseline is rather too good.
"""

import numpy as np

LEVELS = 256
BELIEFS = (1.0, 3.0, 10.0, 30.0, 100.0)
COUNTED = 4_000_000
"""Samples at most that are counted."""


def histogram_bits(train: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Return bits a sample of every held-out sound.

    Args:
        train: int ``[sounds, samples]``, ``LEVELS`` and above behind the end.
        held_out: The same.

    Returns:
        float64 ``[sounds]``.
    """
    codes = [_codes(row) for row in train[: max(1, COUNTED // train.shape[1])]]
    whole = np.concatenate(codes)
    counts = [_Table(whole), _Table(whole % LEVELS**2), _Table(whole % LEVELS)]
    contexts = [_Table(whole // LEVELS), _Table(whole // LEVELS % LEVELS)]
    found = []
    for row in held_out:
        code = _codes(row)
        alone = (counts[2].of(code % LEVELS) + 1) / (len(whole) + LEVELS)
        costs = []
        for belief in BELIEFS:
            after_one = (counts[1].of(code % LEVELS**2) + belief * alone) / (
                contexts[1].of(code // LEVELS % LEVELS) + belief
            )
            after_two = (counts[0].of(code) + belief * after_one) / (contexts[0].of(code // LEVELS) + belief)
            costs.append(-np.log2(after_two).mean())
        found.append(costs)
    each = np.array(found)
    best: np.ndarray = each[:, each.mean(0).argmin()]
    return best


class _Table:
    """How often each code was seen."""

    def __init__(self, codes: np.ndarray) -> None:
        self._codes, self._counts = np.unique(codes, return_counts=True)

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the counts of codes, 0 for those that were never seen."""
        places = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        found: np.ndarray = np.where(self._codes[places] == codes, self._counts[places], 0)
        return found


def _codes(row: np.ndarray) -> np.ndarray:
    """Return each sample with the two before it as one number; the beginning is silent."""
    heard = np.asarray(row[row < LEVELS], np.int64)
    before = np.concatenate([[LEVELS // 2, LEVELS // 2], heard])
    codes: np.ndarray = before[:-2] * LEVELS**2 + before[1:-1] * LEVELS + before[2:]
    return codes
