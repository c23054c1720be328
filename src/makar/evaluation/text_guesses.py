"""What a sceptic would use instead of a network to sort or grade texts: TF-IDF of words and pairs with logistic or ridge regression.

Counts are damped (1 + log), and the strength is the one that did best on sst2 and emotion among 1 and 10 (docs/log.md, 2026-11-29), so that
it is a baseline worth beating.
"""

import numpy as np

STRENGTH = 10.0
MOST_ROUNDS = 1000


def guessed_labels(texts: list[str], marks: np.ndarray, asked: list[str], *, several: bool) -> np.ndarray:
    """Return the probability of each class for some texts, float ``[asked, classes]``.

    Args:
        texts: Training texts.
        marks: Which classes they bear, bool ``[texts, classes]``.
        asked: Texts to be sorted.
        several: Whether a text may bear several.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    chance = np.tile(marks.mean(0), (len(asked), 1))
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    try:
        seen = vectoriser.fit_transform(texts)
    except ValueError:
        # Not one word in all the texts: nothing can be told but how often each class is.
        return chance
    new = vectoriser.transform(asked)
    if several:
        for number in range(marks.shape[1]):
            if 0 < marks[:, number].sum() < len(marks):
                fitted = LogisticRegression(C=STRENGTH, max_iter=MOST_ROUNDS).fit(seen, marks[:, number])
                chance[:, number] = fitted.predict_proba(new)[:, 1]
        return chance
    known = marks.any(1)
    fitted = LogisticRegression(C=STRENGTH, max_iter=MOST_ROUNDS).fit(seen[known], marks[known].argmax(1))
    chance[:] = 0.0
    chance[:, fitted.classes_] = fitted.predict_proba(new)
    return chance


def guessed_numbers(texts: list[str], numbers: np.ndarray, asked: list[str]) -> np.ndarray:
    """Return a number for some texts, float ``[asked]``, by ridge regression on the same words.

    Args:
        texts: Training texts.
        numbers: Theirs, float ``[texts]``.
        asked: Texts that are to get a number.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    try:
        seen = vectoriser.fit_transform(texts)
    except ValueError:
        return np.full(len(asked), numbers.mean())
    return np.asarray(Ridge(alpha=1.0).fit(seen, numbers).predict(vectoriser.transform(asked)))
