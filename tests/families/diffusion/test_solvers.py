"""Solvers against the exact flow of Gaussian data, against their order, and against the schedulers of diffusers."""

import math

import numpy as np
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from makar.families.diffusion.options import SOLVER_NAMES
from makar.families.diffusion.solvers import SOLVERS
from makar.families.diffusion.time_grid import time_grid

MEAN, DEVIATION = 0.7, 0.3


def gaussian_velocity(x: Tensor, time: float) -> Tensor:
    """The exact velocity for data N(MEAN, DEVIATION^2): E[x_1 - x_0 | x_t = x]."""
    variance = (time * DEVIATION) ** 2 + (1 - time) ** 2
    return MEAN + (time * DEVIATION**2 - (1 - time)) / variance * (x - time * MEAN)


def gaussian_flow(noise: Tensor, time: float) -> Tensor:
    """The exact flow map: every quantile goes to the same quantile."""
    return time * MEAN + math.sqrt((time * DEVIATION) ** 2 + (1 - time) ** 2) * noise


def curved_velocity(x: Tensor, time: float) -> Tensor:
    """A network of the schedulers' comparison: neither linear in x nor in time."""
    return torch.tanh(x * (1 + time)) - 0.5 * x + math.sin(3 * time)


def noise(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def test_options_name_every_solver() -> None:
    assert set(SOLVER_NAMES) == {*SOLVERS, "ancestral"}


def test_exact_flow_has_the_exact_velocity() -> None:
    x, time, small = noise(), 0.4, 1e-6
    slope = (gaussian_flow(x, time + small) - gaussian_flow(x, time - small)) / (2 * small)
    assert torch.allclose(slope, gaussian_velocity(gaussian_flow(x, time), time), atol=1e-7)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_reaches_the_exact_end_with_many_steps(name: str) -> None:
    found = SOLVERS[name](gaussian_velocity, noise(), time_grid(400))
    assert (found - gaussian_flow(noise(), 1.0)).abs().max() < (0.02 if name == "euler" else 2e-4)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("dpm++2m", 2), ("unipc", 3), ("adams", 4)])
def test_error_falls_with_the_order_of_the_solver(name: str, order: int) -> None:
    # Away from both ends the log signal-to-noise ratio is finite and no solver lowers its order there for good reason but to start.
    errors = []
    for steps in (40, 80):
        times = [0.2 + 0.6 * step / steps for step in range(steps + 1)]
        start = gaussian_flow(noise(), times[0])
        found = SOLVERS[name](gaussian_velocity, start, times)
        errors.append(float((found - gaussian_flow(noise(), times[-1])).abs().max()))
    measured = math.log2(errors[0] / errors[1])
    # The first-order start of a multi-step solver costs one local error of second order, whatever follows.
    assert measured > min(order, 2) - 0.25
    assert measured < order + 1.5


@pytest.mark.parametrize("name", ["adams", "unipc"])
def test_high_order_solvers_are_exact_for_what_their_order_promises(name: str) -> None:
    def cubic(x: Tensor, time: float) -> Tensor:
        return torch.full_like(x, 4 * time**3 - 3 * time**2 + 1)

    def error(solver: str) -> float:
        times = [0.0, 0.15, 0.35, 0.5, 0.55, 0.7, 0.85, 1.0]
        return float((SOLVERS[solver](cubic, torch.zeros(1), times) - 1.0).abs())

    assert error(name) < error("euler")


def test_adams_integrates_a_cubic_exactly_once_it_has_four_velocities() -> None:
    times = [0.0, 0.1, 0.25, 0.3, 0.5, 0.8, 1.0]
    moved: list[float] = []

    def cubic(x: Tensor, time: float) -> Tensor:
        moved.append(float(x))
        return torch.full_like(x, 4 * time**3)

    end = float(SOLVERS["adams"](cubic, torch.zeros(1, dtype=torch.float64), times))
    points = [*moved, end]
    for step in range(3, 6):
        assert points[step + 1] - points[step] == pytest.approx(times[step + 1] ** 4 - times[step] ** 4, abs=1e-12)


@pytest.mark.parametrize("name", ["adams", "dpm++2m", "unipc"])
def test_ten_evaluations_beat_ten_euler_steps(name: str) -> None:
    exact = gaussian_flow(noise(), 1.0)
    ours = (SOLVERS[name](gaussian_velocity, noise(), time_grid(10)) - exact).abs().max()
    euler = (SOLVERS["euler"](gaussian_velocity, noise(), time_grid(10)) - exact).abs().max()
    assert ours < euler


def test_euler_is_that_of_diffusers() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(12)
    assert _ours("euler", scheduler.sigmas) == pytest.approx(_theirs(scheduler), abs=1e-5)


def test_heun_is_that_of_diffusers() -> None:
    scheduler = FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(9)
    sigmas = [float(scheduler.sigmas[0]), *map(float, scheduler.sigmas[1::2])]
    assert _ours("heun", torch.tensor(sigmas)) == pytest.approx(_theirs(scheduler), abs=1e-5)


# diffusers converts its own tables of sigmas in a way that NumPy 2 calls deprecated.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("steps", [6, 12, 25])
def test_dpm_solver_is_that_of_diffusers(steps: int) -> None:
    scheduler = DPMSolverMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=2.0, euler_at_final=True
    )
    scheduler.set_timesteps(steps)
    assert _ours("dpm++2m", scheduler.sigmas) == pytest.approx(_theirs(scheduler), abs=5e-6)


@pytest.mark.parametrize("steps", [6, 12, 25])
def test_unipc_is_that_of_diffusers(steps: int) -> None:
    scheduler = UniPCMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=2.0, solver_order=3
    )
    scheduler.set_timesteps(steps)
    # diffusers solves for its coefficients in float32, and its first ratio of log signal-to-noise ratios is large.
    assert _ours("unipc", scheduler.sigmas) == pytest.approx(_theirs(scheduler), abs=1e-4)


def _ours(name: str, sigmas: Tensor) -> np.ndarray:
    times = [1 - float(sigma) for sigma in sigmas]
    return SOLVERS[name](curved_velocity, noise(torch.float32), times).numpy()


def _theirs(scheduler: object) -> np.ndarray:
    """Run a scheduler of diffusers, whose sigma is 1 - t and whose network predicts -v."""
    x = noise(torch.float32)
    for timestep in scheduler.timesteps:
        if scheduler.step_index is None:
            scheduler._init_step_index(timestep)
        time = 1 - float(scheduler.sigmas[scheduler.step_index])
        x = scheduler.step(-curved_velocity(x, time), timestep, x, return_dict=False)[0]
    return x.numpy()
