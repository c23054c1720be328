"""BM25: how well texts fit a question by the words that they share, rare ones counting more, long texts less.

    score(q, d) = sum over words w of q of idf(w) tf (k + 1) / (tf + k (1 - b + b |d| / mean |d|))
    idf(w)      = log(1 + (N - n + 1/2) / (n + 1/2))

with tf how often w is in d, n in how many of N texts (Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and
beyond", equation 3.15, with the idf of Lucene, which is never negative). Words are runs of letters and digits in lower case; letters of
Chinese and Japanese, which are written without spaces, are words of their own.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.feature_extraction.text import CountVectorizer

from makar.codecs.word_features import words_of
from makar.errors import EmptyDataError

SATURATION, LENGTH_SHARE = 1.2, 0.75
"""k and b."""


class Bm25:
    """An index of texts by their words.

    Args:
        texts: The texts, one at least.

    Raises:
        EmptyDataError: There is no text.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        if not len(texts):
            raise EmptyDataError("there is no text to look in", expected="one at least")
        self._count = len(texts)
        self._words = CountVectorizer(analyzer=plain_words)
        try:
            counts = self._words.fit_transform(texts).tocsc().astype(np.float64)
        except ValueError:
            # Not one word in all the texts: nothing fits anything.
            self._table = None
            return
        lengths = np.asarray(counts.sum(1)).ravel()
        within = np.diff(counts.indptr)
        rarity = np.log(1 + (self._count - within + 0.5) / (within + 0.5))
        damping = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * lengths / lengths.mean())
        counts.data *= np.repeat(rarity, within) * (SATURATION + 1) / (counts.data + damping[counts.indices])
        self._table = counts

    def scores(self, question: str) -> Float[np.ndarray, " texts"]:
        """Return how well each text fits a question; 0 where they share no word."""
        if self._table is None:
            return np.zeros(self._count)
        return np.asarray((self._table @ self._words.transform([question]).T).todense()).ravel()


def plain_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without marks.

    >>> plain_words("The fox's den, 東京!")
    ['the', "fox's", 'den', '東', '京']
    """
    return [word for start, end in words_of(text) if (word := text[start:end].lower())[0].isalnum()]
