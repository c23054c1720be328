"""Intervals hold what they promise."""

import numpy as np
import pytest

from makar.evaluation.bootstrap import mean_interval, ratio_interval, share_interval


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3, 2, 400)
    interval = mean_interval(values)
    error = 1.96 * values.std(ddof=1) / 20
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - error, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + error, abs=0.03)


def test_it_holds_the_truth_in_nineteen_of_twenty_cases():
    generator = np.random.default_rng(1)
    held = 0
    for seed in range(200):
        sizes = generator.integers(50, 150, 60)
        interval = ratio_interval(sizes * generator.gamma(2, 1, 60), sizes, seed=seed, resamples=400)
        held += interval.low <= 2 <= interval.high
    assert 0.88 <= held / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval_and_one_item_has_none():
    values = np.arange(9.0)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3) != mean_interval(values, seed=4)
    single = ratio_interval(np.array([4.0]), np.array([2.0]))
    assert (single.value, single.low, single.high) == (2, 2, 2)


@pytest.mark.parametrize(
    ("hits", "items", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (1, 2, 0.0945, 0.9055), (0, 0, 0, 1)]
)
def test_shares_have_the_interval_of_wilson(hits, items, low, high):
    interval = share_interval(hits, items)
    assert interval.low == pytest.approx(low, abs=1e-3)
    assert interval.high == pytest.approx(high, abs=1e-3)
