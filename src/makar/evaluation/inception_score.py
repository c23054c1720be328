"""The Inception Score: are the classes of single samples certain, and those of all samples together spread?

    IS = exp( mean over x of KL( p(y|x) || p(y) ) ),    p(y) = mean over x of p(y|x)

The samples are cut into splits in their order, the score is taken of each, and the mean counts: p(y) is estimated within the split. It lies
between 1 and the number of classes. Source: Salimans et al. 2016 (arXiv:1606.03498, section 4); what it does not see (copies, variety
within a class): Barratt & Sharma 2018 (arXiv:1801.01973). With a classifier of our own it is named after it and compares only with itself.
"""

import numpy as np

SPLITS = 10
LEAST_PART = 20
"""Items of a split below which p(y) says nothing."""


def inception_scores(probabilities: np.ndarray, *, splits: int) -> np.ndarray:
    """Return the score of each split.

    Args:
        probabilities: p(y|x) of every item, float ``[items, classes]``, rows that add up to 1.
        splits: Parts, at most as many as items.

    Returns:
        float64 ``[splits]``, 1 to the number of classes.
    """
    values = np.asarray(probabilities, np.float64)
    scores = []
    for part in np.array_split(values, splits):
        together = part.mean(0, keepdims=True)
        # A probability of 0 adds nothing: the limit of p log p.
        logs = np.log(np.clip(part, 1e-300, None)) - np.log(np.clip(together, 1e-300, None))
        scores.append(float(np.exp((part * logs).sum(1).mean())))
    return np.array(scores)


def inception_score(probabilities: np.ndarray) -> float:
    """Return the mean score over the usual ten splits, or fewer where a split would hold too few items."""
    splits = max(1, min(SPLITS, len(probabilities) // LEAST_PART))
    return float(inception_scores(probabilities, splits=splits).mean())
