"""The n-gram model: probabilities that add up, counts by hand, and more data or order helping."""

import collections
import itertools

import numpy as np
import pytest

from makar.errors import ConfigError
from makar.evaluation.ngram import MOST_ORDER, NgramModel

TEXT = (
    b"the cat sat on the mat and the dog sat on the log " * 3 + b"a quick brown fox jumps over the lazy dog " * 2
) * 2


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("context", [b"the c", b"zzzzz", b"on the", b""])
def test_probabilities_of_all_bytes_add_up_to_one(order, context):
    model = NgramModel(TEXT, order=order)
    ends = np.array([model.probabilities(context + bytes([byte]))[:, -1] for byte in range(256)])
    assert ends.sum(0) == pytest.approx(np.ones(order))
    assert ends.min() > 0


def test_a_bigram_is_the_formula_of_kneser_and_ney():
    model = NgramModel(TEXT, order=2)
    pairs = collections.Counter(itertools.pairwise(TEXT))
    preceding = collections.Counter(second for _, second in pairs)

    def discounts(counts):
        n = [sum(count == number for count in counts.values()) for number in (1, 2, 3, 4)]
        if 0 in n[:2]:
            return [0, 0.5, 0.5, 0.5]
        y = n[0] / (n[0] + 2 * n[1])
        return [0] + [
            float(np.clip(k - (k + 1) * y * n[k] / n[k - 1] if n[k - 1] else k, 0.05, k - 0.05)) for k in (1, 2, 3)
        ]

    def unigram(byte):
        d, total = discounts(preceding), sum(preceding.values())
        count = preceding[byte]
        reserved = sum(min(d[min(other, 3)], other) for other in preceding.values())
        return (max(count - d[min(count, 3)], 0) + reserved / 256) / total

    def bigram(first, byte):
        d = discounts(pairs)
        seen = {pair: count for pair, count in pairs.items() if pair[0] == first}
        total = sum(seen.values())
        reserved = sum(min(d[min(count, 3)], count) for count in seen.values())
        count = pairs[first, byte]
        return (max(count - d[min(count, 3)], 0) + reserved * unigram(byte)) / total

    found = model.probabilities(b"the tox")
    for position, (first, byte) in enumerate(itertools.pairwise(b"the tox"), start=1):
        assert found[0, position] == pytest.approx(unigram(byte))
        assert found[1, position] == pytest.approx(bigram(first, byte))


def test_known_text_is_cheap_and_random_bytes_cost_eight_bits():
    noise = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes()
    assert NgramModel(TEXT).bits(TEXT[:200])[-1].mean() < 1
    assert 7.5 < NgramModel(noise[:1500], order=1).bits(noise[1500:])[0].mean() < 8.8


def test_an_order_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="order"):
        NgramModel(TEXT, order=MOST_ORDER + 1)


def test_an_empty_text_knows_nothing():
    assert NgramModel(b"", order=3).bits(b"abc") == pytest.approx(np.full((3, 3), 8.0))
