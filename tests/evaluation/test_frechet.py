"""The Frechet distance against its closed forms and scipy's matrix root."""

import numpy as np
import pytest
import scipy.linalg

from makar.evaluation.frechet import frechet_distance, frechet_interval


def features(seed, items=400, size=6):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(items, size)) @ generator.normal(size=(size, size)) + generator.normal(size=size)


def test_a_set_has_no_distance_to_itself_and_the_order_does_not_matter():
    assert frechet_distance(features(0), features(0)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features(0), features(1)) == pytest.approx(frechet_distance(features(1), features(0)))


def test_a_shift_adds_its_squared_length():
    assert frechet_distance(features(0) + np.array([3, 0, 4, 0, 0, 0]), features(0)) == pytest.approx(25)


def test_a_scale_in_one_dimension_is_the_squared_difference_of_deviations():
    one = np.random.default_rng(0).normal(size=(300, 1))
    expected = (2 * one.std(ddof=1)) ** 2 + (2 * one.mean()) ** 2
    assert frechet_distance(3 * one, one) == pytest.approx(expected)


def test_it_agrees_with_the_matrix_root_of_scipy():
    first, second = features(0), features(1)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_fewer_items_than_features_are_no_trouble():
    assert np.isfinite(frechet_distance(features(0, items=4), features(1, items=4)))


def test_the_interval_holds_the_distance_of_other_samples():
    reference = features(0, items=3000)
    shifted = np.random.default_rng(5).normal(size=(40, 300, 6)) + 1
    distances = [frechet_distance(part, reference) for part in shifted]
    intervals = [frechet_interval(part, reference, resamples=60) for part in shifted[:10]]
    assert all(one.low <= one.value <= one.high for one in intervals)
    assert np.mean([one.low <= np.mean(distances) <= one.high for one in intervals]) >= 0.8
