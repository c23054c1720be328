"""Path, preconditioning, times and grids: identities that hold exactly."""

import math

import pytest
import torch

from makar.families.diffusion import path
from makar.families.diffusion.preconditioning import preconditioned
from makar.families.diffusion.time_grid import time_grid
from makar.families.diffusion.time_sampling import training_times, validation_times


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 2, 3, 3, generator=generator), torch.randn(4, 2, 3, 3, generator=generator)


def test_path_runs_from_noise_to_data_at_its_velocity() -> None:
    noise, data = pair()
    assert torch.equal(path.point(noise, data, torch.zeros(4)), noise)
    assert torch.equal(path.point(noise, data, torch.ones(4)), data)
    time = torch.tensor([0.1, 0.4, 0.6, 0.9])
    moved = path.point(noise, data, time + 0.05) - path.point(noise, data, time)
    assert torch.allclose(moved / 0.05, path.velocity(noise, data), atol=1e-4)


def test_velocity_and_point_give_back_data_and_noise() -> None:
    noise, data = pair()
    time = torch.full((4,), 0.3)
    point, velocity = path.point(noise, data, time), path.velocity(noise, data)
    assert torch.allclose(point + 0.7 * velocity, data, atol=1e-6)
    assert torch.allclose(point - 0.3 * velocity, noise, atol=1e-6)


@pytest.mark.parametrize("time", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("strength", [1.0, 0.2])
def test_what_the_network_sees_and_has_to_say_has_unit_variance(time: float, strength: float) -> None:
    generator = torch.Generator().manual_seed(0)
    mean, deviation = torch.tensor([0.2]).reshape(1, 1, 1), torch.tensor([0.4]).reshape(1, 1, 1)
    data = mean + deviation * torch.randn(400, 1, 20, 20, generator=generator)
    noise = strength * torch.randn(data.shape, generator=generator)
    times = torch.full((400,), time)
    seen = []
    known = {"mean": mean, "deviation": deviation, "noise": torch.full((1, 1, 1), strength)}

    def zero(scaled: torch.Tensor) -> torch.Tensor:
        seen.append(scaled)
        return torch.zeros_like(scaled)

    def one(scaled: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(scaled)

    point = path.point(noise, data, times)
    linear = preconditioned(zero, point, time=times, **known)
    unit = preconditioned(one, point, time=times, **known) - linear
    rest = (path.velocity(noise, data) - linear) / unit
    assert float(seen[0].var()) == pytest.approx(1.0, rel=0.02)
    assert float(rest.var()) == pytest.approx(1.0, rel=0.02)
    # What is left cannot be predicted linearly from what is seen: that is what makes the guess the best one.
    assert float((rest * seen[0]).mean()) == pytest.approx(0.0, abs=0.01)


def test_training_times_have_the_stated_logit() -> None:
    times = training_times(5000, mean=0.5, deviation=0.8, generator=torch.Generator().manual_seed(0))
    logits = torch.logit(times)
    assert float(logits.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(logits.std()) == pytest.approx(0.8, abs=0.01)


def test_times_are_stratified_and_strictly_inside() -> None:
    times = training_times(10, mean=0.0, deviation=0.0, generator=torch.Generator().manual_seed(0))
    assert (times * 10).floor().tolist() == list(range(10))
    extreme = training_times(4, mean=0.0, deviation=5.0, generator=torch.Generator().manual_seed(0))
    assert 0 < float(extreme.min()) < float(extreme.max()) < 1


@pytest.mark.parametrize("count", [1, 2, 5, 8, 13, 100])
def test_validation_visits_every_slice_once_and_spreads_neighbours(count: int) -> None:
    times = validation_times(count)
    assert sorted((times * count - 0.5).round().int().tolist()) == list(range(count))
    if count >= 8:
        assert float(times[:4].max() - times[:4].min()) > 0.5


@pytest.mark.parametrize("shift", [0.3, 1.0, 4.0])
def test_grid_rises_from_noise_to_data(shift: float) -> None:
    times = time_grid(7, shift=shift)
    assert len(times) == 8
    assert times[0] == 0.0
    assert times[-1] == 1.0
    assert times == sorted(times)


def test_shift_moves_steps_towards_the_noise() -> None:
    assert time_grid(4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert time_grid(4, shift=3.0)[2] == pytest.approx(1 - 3 * 0.5 / 2)
    assert time_grid(9, shift=3.0)[1] < time_grid(9)[1] < time_grid(9, shift=0.3)[1]
    # A shift and its inverse mirror each other.
    assert math.isclose(time_grid(9, shift=3.0)[2], 1 - time_grid(9, shift=1 / 3)[7])
