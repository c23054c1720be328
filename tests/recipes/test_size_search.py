"""The size that suits arithmetic and data is found."""

import pytest

from makar.recipes.size_search import best_size

SIZES = (10, 100, 1000)


@pytest.mark.parametrize(("operations", "best"), [(0.0, 10), (300.0, 10), (400.0, 100), (1e5, 1000)])
def test_the_size_nearest_by_ratio_is_taken(operations, best):
    assert best_size(SIZES, operations=operations, needed=lambda size: 10 * size, is_fed=lambda size: True) == best


def test_data_limits_the_size_but_the_smallest_is_always_there():
    for most, best in ((500, 100), (1, 10)):
        found = best_size(SIZES, operations=1e9, needed=float, is_fed=lambda size, most=most: size <= most)
        assert found == best


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(ValueError):
        best_size((), operations=1.0, needed=float, is_fed=bool)
