"""What is counted of texts that were made from others: BLEU, chrF, ROUGE, exact match and word overlap, item by item, for intervals.

BLEU is sacreBLEU's: its counts of each text are added up, and its signature says how they came about (Post 2018, arXiv 1804.08771). chrF
has the same counts for runs of 1 to 6 characters without spaces, recall weighing twice (Popovic 2015, "chrF: character n-gram F-score for
automatic MT evaluation"), as sacreBLEU adds them. ROUGE is F1 of single words, of pairs, and of the longest common subsequence, words
being runs of letters and digits in lower case, without stemming (Lin 2004, "ROUGE: a package for automatic evaluation of summaries").
Where there are several right texts, the best one counts.
"""

import collections
import dataclasses
import functools
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from sacrebleu.metrics import BLEU, CHRF

from makar.codecs.sentences import words_of
from makar.evaluation.bootstrap import Interval, interval_of

ORDERS, CHARACTER_ORDERS = 4, 6
RECALL_WEIGHT = 2.0

References = Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
    """Counts that add up to a figure: one row an item."""

    counts: Float64[np.ndarray, "items columns"]
    figure: Callable[[Float64[np.ndarray, " columns"]], float]

    def interval(self, *, seed: int = 0) -> Interval:
        """Return the figure of all items with its interval over items drawn anew."""
        return interval_of(lambda times: self.figure(times @ self.counts), len(self.counts), seed=seed)


@functools.cache
def _bleu() -> BLEU:
    # The order is effective for single texts only; sums of counts are the same.
    return BLEU(effective_order=True)


def signatures(references: References) -> dict[str, str]:
    """Return how BLEU and chrF were counted, in the words of sacreBLEU.

    Args:
        references: The right texts of each item, of whose numbers the signature speaks.
    """
    numbers = (min(map(len, references)), max(map(len, references)))
    right: list[Any] = [["a" if place < number else None for number in numbers] for place in range(numbers[1])]
    said = {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        metric.corpus_score(["a", "a"], right)
        said[name] = str(metric.get_signature())
    return said


def bleu(texts: Sequence[str], references: References) -> Corpus:
    """Return what sacreBLEU adds up."""
    rows = []
    for text, right in zip(texts, references, strict=True):
        score = _bleu().sentence_score(text, list(right))
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])

    def figure(sums: np.ndarray) -> float:
        found = BLEU.compute_bleu(
            correct=sums[:ORDERS].tolist(),
            total=sums[ORDERS : 2 * ORDERS].tolist(),
            sys_len=int(sums[-2]),
            ref_len=int(sums[-1]),
            smooth_method="exp",
        )
        return float(found.score)

    return Corpus(counts=np.array(rows, np.float64), figure=figure)


def single_bleu(text: str, reference: str) -> float:
    """Return BLEU of one text, 0 to 1, by the orders that it is long enough for.

    >>> single_bleu("the red fox", "the red fox")
    1.0
    """
    return round(float(_bleu().sentence_score(text, [reference]).score) / 100, 9)


def chrf(texts: Sequence[str], references: References) -> Corpus:
    """Return what chrF adds up: of each order the runs of the text, of the right one, and those of both."""
    rows = [
        max((_character_counts(text, reference) for reference in right), key=_chrf_of)
        for text, right in zip(texts, references, strict=True)
    ]
    return Corpus(counts=np.array(rows, np.float64), figure=lambda sums: 100.0 * _chrf_of(sums))


def _character_counts(text: str, reference: str) -> np.ndarray:
    counts = []
    ours, theirs = ("".join(one.split()) for one in (text, reference))
    for order in range(1, CHARACTER_ORDERS + 1):
        mine, right = (
            collections.Counter(one[place : place + order] for place in range(len(one) - order + 1))
            for one in (ours, theirs)
        )
        counts += [mine.total(), right.total(), (mine & right).total()]
    return np.array(counts, np.float64)


def _chrf_of(counts: np.ndarray) -> float:
    # An order that is longer than a text says nothing.
    told = [(both / made, both / wanted) for made, wanted, both in counts.reshape(-1, 3) if made > 0 and wanted > 0]
    if not told:
        return 0.0
    precision, recall = np.mean(told, axis=0)
    below = RECALL_WEIGHT**2 * precision + recall
    return float((1 + RECALL_WEIGHT**2) * precision * recall / below) if below else 0.0


def rouge(texts: Sequence[str], references: References) -> dict[str, Float64[np.ndarray, " items"]]:
    """Return F1 of words (``"1"``), pairs (``"2"``) and the longest common subsequence (``"L"``), 0 to 1, of every text."""
    found: dict[str, list[float]] = {"1": [], "2": [], "L": []}
    for text, right in zip(texts, references, strict=True):
        words = words_of(text)
        others = [words_of(reference) for reference in right]
        found["1"].append(max(_overlap(words, other, 1) for other in others))
        found["2"].append(max(_overlap(words, other, 2) for other in others))
        found["L"].append(max(_f1(common_length(words, other), len(words), len(other)) for other in others))
    return {name: np.array(values) for name, values in found.items()}


def _overlap(words: list[str], other: list[str], order: int) -> float:
    mine, right = (
        collections.Counter(tuple(one[place : place + order]) for place in range(len(one) - order + 1))
        for one in (words, other)
    )
    return _f1((mine & right).total(), mine.total(), right.total())


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, with one bit a word of the first.

    Source: Hyyro 2004, "Bit-parallel LCS-length computation revisited".

    >>> common_length("a b c d".split(), "b x d a".split())
    2
    """
    places: dict[str, int] = collections.defaultdict(int)
    for place, word in enumerate(first):
        places[word] |= 1 << place
    whole = (1 << len(first)) - 1
    bits = whole
    for word in second:
        matched = bits & places.get(word, 0)
        bits = ((bits + matched) | (bits - matched)) & whole
    return len(first) - bits.bit_count()


def _f1(both: int, mine: int, right: int) -> float:
    return 2.0 * both / (mine + right) if both else 0.0


def normal_answer(text: str) -> str:
    """Return an answer without case, punctuation, articles and double spaces (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1)."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(word for word in bare.split() if word not in ("a", "an", "the"))


def answer_scores(
    texts: Sequence[str], references: References
) -> tuple[Float64[np.ndarray, " items"], Float64[np.ndarray, " items"]]:
    """Return whether each answer is right, and F1 of its words, both of what is left of them as ``normal_answer`` reads them."""
    exact, overlap = [], []
    for text, right in zip(texts, references, strict=True):
        mine, others = normal_answer(text), [normal_answer(reference) for reference in right]
        exact.append(float(mine in others))
        # That there is no answer has no words, and is right or wrong (Rajpurkar et al. 2018, arXiv 1806.03822).
        overlap.append(max(exact[-1], *(_overlap(mine.split(), other.split(), 1) for other in others)))
    return np.array(exact), np.array(overlap)
