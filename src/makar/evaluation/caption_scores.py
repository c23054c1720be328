"""BLEU and CIDEr-D of captions, image by image, so that intervals can be had by drawing images anew.

Captions are compared word by word: runs of letters and digits, in lower case, of any script. BLEU has clipped precisions of one to
four words, their geometric mean, and the brevity penalty, over all images together and without smoothing (Papineni et al. 2002,
equations 1 to 3). CIDEr-D weighs runs of one to four words by how few of the references have them, takes the cosine of the clipped
counts, and a factor for another length with sigma 6, times 10 (Vedantam et al. 2015, arXiv 1411.5726, equations 1, 2 and 4).
"""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from makar.evaluation.bootstrap import Interval, interval_of

ORDERS = 4
LENGTH_DEVIATION = 6.0

Runs = Counter[tuple[str, ...]]


def words_of(caption: str) -> list[str]:
    """Return the words of a caption.

    >>> words_of("A red-hot Fox, sl\\u00e9py")
    ['a', 'red', 'hot', 'fox', 'sl\\u00e9py']
    """
    return re.findall(r"\w+", caption.lower())


def runs_of(words: Sequence[str], order: int) -> Runs:
    """Return how often each run of so many words occurs."""
    return Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BleuCounts:
    """What BLEU adds up, one row an image.

    Attributes:
        matches: Runs of each order that a reference has too, float64 ``[images, 4]``.
        totals: Runs of each order.
        lengths: Words of the caption, and of the reference nearest in length, ``[images, 2]``.
    """

    matches: Float64[np.ndarray, "images orders"]
    totals: Float64[np.ndarray, "images orders"]
    lengths: Float64[np.ndarray, "images two"]

    def score(self, times: Float64[np.ndarray, " images"] | None = None) -> float:
        """Return BLEU, 0 to 100, of all images, each taken so many times."""
        weights = np.ones(len(self.matches)) if times is None else times
        matches, totals, (length, wanted) = weights @ self.matches, weights @ self.totals, weights @ self.lengths
        if not (matches > 0).all():
            return 0.0
        penalty = min(0.0, 1.0 - wanted / length)
        return float(100 * np.exp(penalty + np.log(matches / totals).mean()))

    def interval(self, *, seed: int = 0) -> Interval:
        """Return BLEU with its interval over images drawn anew."""
        return interval_of(self.score, len(self.matches), seed=seed)


def bleu_counts(captions: Sequence[str], references: Sequence[Sequence[str]]) -> BleuCounts:
    """Return what BLEU adds up.

    Args:
        captions: One an image.
        references: One or more an image.
    """
    matches, totals, lengths = [], [], []
    for caption, right in zip(captions, references, strict=True):
        words, others = words_of(caption), [words_of(reference) for reference in right]
        found, all_ = [], []
        for order in range(1, ORDERS + 1):
            most: Runs = Counter()
            for other in others:
                most |= runs_of(other, order)
            runs = runs_of(words, order)
            found.append(sum((runs & most).values()))
            all_.append(sum(runs.values()))
        nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(words)), length))
        matches.append(found)
        totals.append(all_)
        lengths.append([len(words), nearest])
    return BleuCounts(
        matches=np.array(matches, np.float64),
        totals=np.array(totals, np.float64),
        lengths=np.array(lengths, np.float64),
    )


def cider(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Float64[np.ndarray, " images"]:
    """Return CIDEr-D of each image, 0 to 10; what few references say counts most, and what all say nothing.

    Args:
        captions: One an image.
        references: One or more an image; they also say how rare a run of words is.
    """
    words = [words_of(caption) for caption in captions]
    others = [[words_of(reference) for reference in right] for right in references]
    total = np.zeros(len(words))
    for order in range(1, ORDERS + 1):
        rarity: Counter[tuple[str, ...]] = Counter()
        for right in others:
            rarity.update({run for reference in right for run in runs_of(reference, order)})
        for number, (caption, right) in enumerate(zip(words, others, strict=True)):
            own = _weighed(runs_of(caption, order), rarity, len(others))
            near = [
                _nearness(own, _weighed(runs_of(reference, order), rarity, len(others)))
                * math.exp(-((len(caption) - len(reference)) ** 2) / (2 * LENGTH_DEVIATION**2))
                for reference in right
            ]
            total[number] += sum(near) / len(near)
    return 10.0 * total / ORDERS


def _weighed(runs: Runs, rarity: Counter[tuple[str, ...]], images: int) -> dict[tuple[str, ...], float]:
    return {run: count * math.log(images / max(1, rarity[run])) for run, count in runs.items()}


def _nearness(own: dict[tuple[str, ...], float], other: dict[tuple[str, ...], float]) -> float:
    product = sum(min(own[run], weight) * weight for run, weight in other.items() if run in own)
    lengths = math.hypot(*own.values()) * math.hypot(*other.values())
    return product / lengths if lengths else 0.0
