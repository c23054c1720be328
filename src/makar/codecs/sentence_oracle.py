"""Which sentences of a text say most of what its summary says: taken one by one, each time the one that helps most, while one helps.

What a sentence helps is counted as F1 of words plus F1 of pairs of words of all that is taken, against the summary; the best summary that
can be picked is near it, and a model of sentences learns to take the same ones.

Source: Nallapati et al. 2017, "SummaRuNNer", arXiv 1611.04230, section 2.3 (labels by greedy ROUGE).
"""

import collections
import itertools
from collections.abc import Sequence

from makar.codecs.sentences import words_of

MOST = 8
"""Sentences that are taken at most."""

Counts = collections.Counter[tuple[str, ...]]


def oracle(sentences: Sequence[str], summary: str) -> list[int]:
    """Return the numbers of the sentences to take, in their order; none where no word is in common.

    >>> oracle(["It rained.", "A fox ran.", "Home by the hill."], "The fox ran home")
    [1, 2]
    """
    wanted = _counts(words_of(summary))
    held = [_counts(words_of(sentence)) for sentence in sentences]
    taken: list[int] = []
    sums: tuple[Counts, Counts] = (collections.Counter(), collections.Counter())
    best = 0.0
    while len(taken) < min(MOST, len(sentences)):
        worth = {
            number: _worth((sums[0] + own[0], sums[1] + own[1]), wanted)
            for number, own in enumerate(held)
            if number not in taken and own[0].keys() & wanted[0].keys()
        }
        number = max(worth, key=lambda one: worth[one], default=-1)
        if number < 0 or worth[number] <= best:
            break
        best = worth[number]
        taken.append(number)
        sums = (sums[0] + held[number][0], sums[1] + held[number][1])
    return sorted(taken)


def _counts(words: list[str]) -> tuple[Counts, Counts]:
    return collections.Counter((word,) for word in words), collections.Counter(itertools.pairwise(words))


def _worth(mine: tuple[Counts, Counts], wanted: tuple[Counts, Counts]) -> float:
    found = 0.0
    for own, right in zip(mine, wanted):
        both = (own & right).total()
        found += 2.0 * both / (own.total() + right.total()) if both else 0.0
    return found
