"""The limit keeps its promise on new items."""

import numpy as np
import pytest

from makar.novelty.calibration import lower_limit, upper_limit


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_at_most_the_promised_share_of_new_items_is_beyond_the_limit(share):
    generator = np.random.default_rng(0)
    alarms = [(generator.normal(size=500) <= lower_limit(generator.normal(size=300), share)).mean() for _ in range(300)]
    assert 0.6 * share < np.mean(alarms) <= share * 1.05


def test_upper_is_the_mirror_of_lower():
    values = np.random.default_rng(0).normal(size=250)
    assert upper_limit(values) == -lower_limit(-values)


def test_with_few_items_none_of_them_is_beyond():
    assert lower_limit(np.array([0.4, 0.3, 0.9])) < 0.3
    assert upper_limit(np.array([4.0, 7.0])) > 7
