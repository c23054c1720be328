"""The kernel distance against the double sum of its definition; unbiased; sklearn's kernel."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from makar.evaluation.kernel_distance import kernel_distance, kernel_interval


def draw(seed, items=200, size=5):
    return np.random.default_rng(seed).normal(size=(items, size))


def test_it_is_the_double_sum_of_the_definition():
    first, second = draw(0, 12), draw(1, 9)

    def kernel(x, y):
        return (x @ y / 5 + 1) ** 3

    within_first = np.mean([kernel(first[i], first[j]) for i in range(12) for j in range(12) if i != j])
    within_second = np.mean([kernel(second[i], second[j]) for i in range(9) for j in range(9) if i != j])
    between = np.mean([kernel(x, y) for x in first for y in second])
    assert kernel_distance(first, second) == pytest.approx(within_first + within_second - 2 * between)


def test_the_kernel_is_that_of_sklearn():
    first, second = draw(0, 30), draw(1, 30)
    keep = ~np.eye(30, dtype=bool)
    parts = [
        polynomial_kernel(a, b, degree=3, gamma=1 / 5, coef0=1)
        for a, b in ((first,) * 2, (second,) * 2, (first, second))
    ]
    assert kernel_distance(first, second) == pytest.approx(
        parts[0][keep].mean() + parts[1][keep].mean() - 2 * parts[2].mean()
    )


def test_sets_of_one_kind_have_distance_zero_in_the_mean_at_any_number():
    for items in (10, 40):
        distances = [kernel_distance(draw(2 * seed, items), draw(2 * seed + 1, items)) for seed in range(300)]
        assert abs(np.mean(distances)) < 3 * np.std(distances) / np.sqrt(300)


def test_a_shift_is_seen_and_the_interval_holds_the_distance():
    assert kernel_interval(draw(0) + 1, draw(1)).low > 0
    held = [kernel_interval(draw(2 * seed), draw(2 * seed + 1)) for seed in range(40)]
    assert np.mean([one.low < 0 < one.high for one in held]) >= 0.9
    assert len({one.low for one in held}) == 40


def test_too_few_items_have_no_interval():
    interval = kernel_interval(draw(0, 6), draw(1, 6))
    assert interval.low == interval.value == interval.high
