"""Distances between sets at closed forms, features that are the same everywhere, and that both see what goes wrong with generators."""

import pytest
import torch

from makar.families.gan.distance import between, energy_distance, nearest, spread
from makar.families.gan.features import FixedFeatures
from tests.families.gan.models import generator, images


def test_two_points_have_the_distance_between_them() -> None:
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert float(spread(points)) == pytest.approx(5.0)
    assert float(nearest(points)) == pytest.approx(5.0)
    assert float(between(points, points)) == pytest.approx(2.5)


def test_energy_distance_of_two_places_is_twice_how_far_apart_they_are() -> None:
    first, second = torch.zeros(4, 2), torch.tensor([[3.0, 4.0]]).repeat(4, 1)
    assert float(energy_distance(first, second, spread(second))) == pytest.approx(10.0)


def test_energy_distance_has_no_bias_and_grows_with_shift_and_scale() -> None:
    draws = [torch.randn(200, 16, 5, generator=generator(seed)) for seed in (1, 2)]

    def mean(change: float, scale: float) -> float:
        found = [energy_distance(scale * a + change, b, spread(b)) for a, b in zip(*draws)]
        return float(torch.stack(found).mean())

    assert abs(mean(0.0, 1.0)) < 0.02
    assert mean(0.3, 1.0) > 0.05 < mean(0.0, 1.5)
    assert mean(1.0, 1.0) > mean(0.3, 1.0)


def test_nearest_sees_repetitions_that_the_spread_does_not() -> None:
    varied = torch.randn(64, 8, generator=generator())
    repeated = varied[:8].repeat(8, 1) + 1e-3 * torch.randn(64, 8, generator=generator(1))
    assert float(spread(repeated) / spread(varied)) > 0.7
    assert float(nearest(repeated) / nearest(varied)) < 0.01


def test_features_are_the_same_on_every_machine() -> None:
    raw = FixedFeatures(1).measure(images(2))
    assert raw.shape == (2, 16 + 4 * (3 * 12 + 32))
    # Drawn from a fixed seed: other figures would make losses of two versions incomparable.
    assert float(raw.sum()) == pytest.approx(FIRST_SUM, rel=1e-4)
    assert torch.equal(raw, FixedFeatures(1).measure(images(2)))


FIRST_SUM = 119.33665


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 17, 30), (4, 64, 48)])
def test_scaled_features_have_unit_variance_in_all(shape: tuple[int, int, int]) -> None:
    features = FixedFeatures(shape[0])
    data = torch.rand(50, *shape, generator=generator()) * 2 - 1
    features.fit(features.measure(data))
    vectors = features(data)
    assert float(vectors.mean(0).abs().max()) < 1e-4
    assert float(vectors.square().sum(1).mean()) == pytest.approx(1.0, abs=1e-3)


def test_blur_and_noise_and_dimming_are_all_far_from_the_data() -> None:
    features = FixedFeatures(1)
    data, other = images(400), images(400, seed=5)
    features.fit(features.measure(data))
    own = spread(features(data))

    def distance(changed: torch.Tensor) -> float:
        return float(energy_distance(features(changed), features(data), own))

    blurred = torch.nn.functional.avg_pool2d(other, 3, stride=1, padding=1, count_include_pad=False)
    noisy = other + 0.1 * torch.randn(other.shape, generator=generator())
    dimmed = 0.7 * (other + 1) - 1
    floor = abs(distance(other))
    assert floor < 0.01
    assert all(distance(changed) > 3 * floor + 0.01 for changed in (blurred, noisy, dimmed))
