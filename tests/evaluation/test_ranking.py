"""Places of the right one: closed forms among all, the expectation among some, and what ties and chance give."""

import itertools

import numpy as np
import pytest

from makar.evaluation.ranking import median_interval, more_similar, place_interval, place_shares


def test_more_similar_counts_what_is_at_least_as_near():
    similarity = np.array([[3.0, 2.0, 1.0], [1.0, 1.0, 1.0], [0.0, 5.0, 4.0]])
    assert more_similar(similarity, np.array([0, 1, 2])).tolist() == [0, 2, 1]


def test_among_all_the_place_is_certain():
    better = np.array([0, 1, 4, 5, 9])
    assert place_shares(better, others=9, among=10, first=1).tolist() == [1, 0, 0, 0, 0]
    assert place_shares(better, others=9, among=10, first=5).tolist() == [1, 1, 1, 0, 0]
    # More than there are is all of them.
    assert place_shares(better, others=9, among=100, first=5).tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("first", [1, 2])
def test_among_some_it_is_the_mean_over_all_draws(first):
    others, drawn, better = 6, 3, 2
    found = [sum(other < better for other in draw) < first for draw in itertools.combinations(range(others), drawn)]
    share = place_shares(np.array([better]), others=others, among=drawn + 1, first=first)[0]
    assert share == pytest.approx(np.mean(found))


def test_what_says_the_same_of_everything_finds_nothing_and_a_guess_finds_its_share():
    better = more_similar(np.zeros((200, 200)), np.arange(200))
    assert place_interval(better, others=199, among=100, first=5).value == 0
    similarity = np.random.default_rng(0).standard_normal((1500, 300))
    better = more_similar(similarity, np.arange(1500) % 300)
    interval = place_interval(better, others=299, among=100, first=5)
    assert interval.low < 0.05 < interval.high and interval.high - interval.low < 0.05


def test_the_median_lies_in_its_interval():
    values = np.arange(1, 102)
    interval = median_interval(values)
    assert interval.value == 51 and 30 < interval.low < 51 < interval.high < 70
    assert median_interval(np.full(9, 7.0)).high == 7
