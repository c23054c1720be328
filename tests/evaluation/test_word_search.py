"""What is found by words, and how good an order is: BM25 by its formula, nDCG by that of scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from makar.errors import EmptyDataError
from makar.evaluation.bm25 import LENGTH_SHARE, SATURATION, Bm25
from makar.evaluation.ranking import gain_at
from makar.evaluation.text_vectors import fused

TEXTS = ["the red fox, the fox", "a blue hat", "the old fox and the young fox went home", "東京の狐"]


def test_a_score_is_what_the_formula_says():
    scores = Bm25(TEXTS).scores("Fox hat")
    lengths = [5, 3, 9, 4]
    for place, count in ((0, 2), (2, 2)):
        rarity = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
        below = count + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * lengths[place] / np.mean(lengths))
        assert scores[place] == pytest.approx(rarity * count * (SATURATION + 1) / below)
    assert scores[1] > scores[0] > scores[2] > scores[3] == 0.0
    assert Bm25(TEXTS).scores("狐").argmax() == 3


def test_what_shares_no_word_fits_nothing():
    assert Bm25(TEXTS).scores("?!").tolist() == [0.0] * 4 and Bm25(["?", "!"]).scores("fox").tolist() == [0.0, 0.0]
    with pytest.raises(EmptyDataError):
        Bm25([])


def test_the_gain_of_an_order_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    for _ in range(5):
        scores, gains = draw.normal(size=30), draw.integers(0, 4, 30).astype(float)
        assert gain_at(scores, gains) == pytest.approx(ndcg_score([gains], [scores], k=10))
    assert gain_at(np.ones(3), np.zeros(3)) == 0.0 and gain_at(np.array([2.0, 1.0]), np.array([0.0, 1.0]), 1) == 0.0


def test_orders_are_added_up_by_their_places():
    both = fused([np.array([3.0, 2.0, 1.0]), np.array([1.0, 3.0, 2.0])])
    assert both.tolist() == pytest.approx([1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62])
