"""What can be seen of each sentence of a text: where it stands, how central it is, how long, what is new in it; numbers from 0 to 1.

Centrality is that of LexRank without a threshold: sentences are vectors of words, each weighing by how often it is there and how few
sentences have it, and a walk from sentence to sentence goes where the angle is small; how often it comes by is the rank (Erkan and Radev
2004, "LexRank: graph-based lexical centrality as salience in text summarization", sections 3.2 and 3.3; Mihalcea and Tarau 2004,
"TextRank: bringing order into texts", is the same walk over shares of common words). The matrix of the walk is never formed: a step is two
products with the sparse vectors, so that a text of a hundred thousand sentences takes seconds.
"""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float32, Float64

from makar.codecs.sentences import terms_of
from makar.codecs.summary_config import SENTENCE_FEATURES

STAY = 0.85
"""Share of the steps of the walk that follow likeness; the others go anywhere (the paper: 1 - d, section 3.2)."""
STEPS = 30
LONG_WORDS = 64
_ASKS = re.compile(r"[?？؟;][\"'”’»)\]」』]*\s*$")


@dataclasses.dataclass(frozen=True)
class SentenceVectors:
    """Sentences as sparse vectors of unit length: entry ``values[i]`` is that of word ``columns[i]`` in sentence ``rows[i]``."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    count: int
    words: int

    @classmethod
    def of(cls, terms: Sequence[Sequence[str]]) -> Self:
        """Return the vectors of sentences that are given as words; a word weighs times its number, log(1 + sentences / those with it)."""
        numbers: dict[str, int] = {}
        rows: list[int] = []
        columns: list[int] = []
        counts: list[int] = []
        for row, words in enumerate(terms):
            held: dict[int, int] = {}
            for word in words:
                number = numbers.setdefault(word, len(numbers))
                held[number] = held.get(number, 0) + 1
            rows += [row] * len(held)
            columns += held
            counts += held.values()
        placed, named = np.array(rows, np.int64), np.array(columns, np.int64)
        with_it = np.bincount(named, minlength=len(numbers))
        values = np.array(counts, np.float64) * np.log1p(len(terms) / with_it[named])
        length = np.sqrt(np.bincount(placed, values**2, minlength=len(terms)))
        return cls(placed, named, values / length[placed], len(terms), len(numbers))

    def across(self, words: Float64[np.ndarray, " words"]) -> Float64[np.ndarray, " sentences"]:
        """Return the product of every sentence with a vector over words."""
        return np.bincount(self.rows, self.values * words[self.columns], minlength=self.count)

    def down(self, sentences: Float64[np.ndarray, " sentences"]) -> Float64[np.ndarray, " words"]:
        """Return the sum of all sentences, each weighing as given."""
        return np.bincount(self.columns, self.values * sentences[self.rows], minlength=self.words)

    def likeness(self, number: int) -> Float64[np.ndarray, " sentences"]:
        """Return the cosine of every sentence with one of them."""
        one = np.zeros(self.count)
        one[number] = 1.0
        return self.across(self.down(one))

    def centrality(self) -> Float64[np.ndarray, " sentences"]:
        """Return how often a walk comes by each sentence, which add up to 1; a sentence does not lead to itself.

        Source: Erkan and Radev 2004, equation 8 with weights (their "continuous LexRank"), without the links of a sentence to itself,
        as in TextRank: one that is like no other would otherwise keep the walk for itself.
        """
        is_filled = np.bincount(self.rows, minlength=self.count) > 0
        degree = self.across(self.down(np.ones(self.count))) - is_filled
        leads = degree > 1e-9
        onward = np.where(leads, 1 / np.where(leads, degree, 1.0), 0.0)
        rank = np.full(self.count, 1.0 / self.count)
        for _ in range(STEPS):
            going = rank * onward
            rank = (1 - STAY) / self.count + STAY * (self.across(self.down(going)) - going * is_filled)
            rank /= rank.sum()
        return rank


def sentence_features(sentences: Sequence[str]) -> tuple[Float32[np.ndarray, "sentences features"], SentenceVectors]:
    """Return what can be seen of each sentence, and the vectors of words that it comes from.

    Args:
        sentences: At least one.

    Returns:
        Numbers from 0 to 1 in the order of ``SENTENCE_FEATURES``; the vectors.
    """
    count = len(sentences)
    terms = [terms_of(sentence) for sentence in sentences]
    vectors = SentenceVectors.of(terms)
    place = np.arange(count)
    words = np.array([len(own) for own in terms], np.float64)
    rank = vectors.centrality()
    mean = vectors.down(np.ones(count))
    seen: set[str] = set()
    new = []
    for own in terms:
        new.append(sum(word not in seen for word in own))
        seen.update(own)
    alone = np.bincount(vectors.columns, minlength=vectors.words) == 1
    owned = np.bincount(vectors.rows, alone[vectors.columns], minlength=count)
    different = np.maximum(np.bincount(vectors.rows, minlength=count), 1)
    some = np.maximum(words, 1)
    seen_of = {
        "exists": np.ones(count),
        "first": 1 / (1 + place),
        "early": 1 - place / max(1, count - 1),
        "last": 1 / (count - place),
        "central": rank / rank.max(),
        "centroid": vectors.across(mean) / max(1e-12, math.sqrt(float((mean**2).sum()))),
        "long": np.log1p(words) / math.log1p(LONG_WORDS),
        "longest": words / max(1.0, words.max()),
        "like_first": vectors.likeness(0),
        "names": np.array([_capitals(sentence) for sentence in sentences]) / some,
        "numbers": np.array([sum(any(map(str.isdigit, word)) for word in own) for own in terms]) / some,
        "question": np.array([float(_ASKS.search(sentence) is not None) for sentence in sentences]),
        "own": owned / different,
        "new": np.array(new) / some,
    }
    columns = np.stack([seen_of[name] for name in SENTENCE_FEATURES], 1)
    return np.clip(columns, 0.0, 1.0).astype(np.float32), vectors


def _capitals(sentence: str) -> int:
    return sum(word[:1].isupper() for word in sentence.split()[1:])
