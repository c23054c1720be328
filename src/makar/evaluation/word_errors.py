"""Word and character error: the least number of words, or letters, to change, leave out or put in, for one that should be there.

Source: Levenshtein 1966; as it is measured of recognisers of speech since Price 1990. Both texts are compared by their plain words.
"""

from collections.abc import Sequence

import numpy as np

from makar.codecs.transcript import plain_words
from makar.evaluation.bootstrap import Interval, ratio_interval


def differences(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Return the least number of parts to change, leave out or put in.

    >>> differences("the red fox".split(), "the fox ran".split()), differences("abc", "")
    (2, 3)
    """
    row = list(range(len(found) + 1))
    for number, part in enumerate(wanted, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (part != other))
    return row[-1]


def word_error(wanted: Sequence[str], found: Sequence[str]) -> Interval:
    """Return the share of words that are wrong, with an interval over texts; more than 1 where more is said than there is."""
    return _error([plain_words(text).split() for text in wanted], [plain_words(text).split() for text in found])


def letter_error(wanted: Sequence[str], found: Sequence[str]) -> Interval:
    """Return the share of letters that are wrong, spaces included, with an interval over texts."""
    return _error([plain_words(text) for text in wanted], [plain_words(text) for text in found])


def _error(wanted: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> Interval:
    wrong = [differences(one, other) for one, other in zip(wanted, found, strict=True)]
    return ratio_interval(np.array(wrong), np.array([max(1, len(one)) for one in wanted]))
