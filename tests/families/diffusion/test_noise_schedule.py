"""DDPM: its schedule, its two ways to sample, and that both are those of diffusers on the same network and exact for Gaussian data."""

import itertools
import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from makar.families.diffusion.ancestral import ancestral
from makar.families.diffusion.condition import Condition
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.family import DiffusionFamily
from makar.families.diffusion.noise_schedule import (
    NOISE_STEPS,
    StepOfTime,
    schedule_grid,
    signal_shares,
    step_times,
)
from makar.families.diffusion.solvers import SOLVERS

MEAN, DEVIATION = 0.3, 0.2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def schedule_of(kind: type, **values: object) -> object:
    return kind(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", **values)


def scaled(point: Tensor, time: float) -> Tensor:
    return point / math.hypot(time, 1 - time)


def network(seen: Tensor, step: float) -> Tensor:
    """A predictor of noise that is neither linear in what it sees nor in the step (1 to 1,000)."""
    return torch.tanh(seen * (1 + step / 500)) + 0.2 * math.sin(step / 100)


def velocity(point: Tensor, time: float) -> Tensor:
    """The same network as a velocity on the straight path."""
    step = float(StepOfTime()(torch.tensor([time]))[0])
    return (point - network(scaled(point, time), step)) / time


def theirs(scheduler: object, noise: Tensor, **step_values: object) -> np.ndarray:
    y = noise
    for timestep in scheduler.timesteps:
        # Their timestep 0 is our step 1.
        y = scheduler.step(network(y, float(timestep) + 1), timestep, y, return_dict=False, **step_values)[0]
    return y.numpy()


def start(times: list[float]) -> Tensor:
    return torch.randn(3, 1, 4, 4, generator=generator())


def ours(name: str, times: list[float]) -> np.ndarray:
    return SOLVERS[name](velocity, start(times) * math.hypot(times[0], 1 - times[0]), times).numpy()


def test_schedule_is_that_of_the_paper() -> None:
    scheduler = schedule_of(DDPMScheduler)
    assert np.allclose(signal_shares(), scheduler.alphas_cumprod.numpy(), rtol=2e-4)
    assert signal_shares()[0] == pytest.approx(1 - 1e-4)
    # The last variance of the paper's section 4: L_T is about 1e-5 bits a dimension, as so little of the image is left.
    assert signal_shares()[-1] == pytest.approx(4.04e-5, rel=0.01)


def test_steps_lie_on_the_straight_path() -> None:
    data, noise = torch.randn(5, generator=generator(1)), torch.randn(5, generator=generator(2))
    for step in (1, 10, 500, 1000):
        share, time = signal_shares()[step - 1], step_times()[step - 1]
        y = math.sqrt(share) * data + math.sqrt(1 - share) * noise
        assert torch.allclose(scaled((1 - time) * noise + time * data, time), y, atol=1e-6)


def test_step_of_time_is_whole_at_steps_and_monotone_between() -> None:
    times = torch.tensor(step_times())
    found = StepOfTime()(times)
    assert torch.allclose(found, torch.arange(1, NOISE_STEPS + 1).float(), atol=0.02)
    middles = StepOfTime()((times[1:] + times[:-1]) / 2)
    assert torch.allclose(middles, torch.arange(1, NOISE_STEPS).float() + 0.5, atol=0.02)
    assert StepOfTime()(torch.tensor([0.0, 1.0])).tolist() == [1000.0, 1.0]


def test_a_thousand_steps_are_those_of_the_schedule() -> None:
    assert schedule_grid(1000) == [*reversed(step_times()), 1.0]
    assert schedule_grid(1) == [step_times()[-1], 1.0]
    assert schedule_grid(4)[:-1] == [step_times()[step - 1] for step in (1000, 750, 500, 250)]


@pytest.mark.parametrize("shift", [0.3, 3.0])
@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_shifted_grids_rise_within_the_schedule(steps: int, shift: float) -> None:
    times = schedule_grid(steps, shift=shift)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert times[0] == pytest.approx(step_times()[-1]) and times[-1] == 1.0
    assert times[-2] <= step_times()[0] + 1e-9
    if steps == 7:
        assert (times[3] < schedule_grid(steps)[3]) == (shift > 1)


@pytest.mark.parametrize("steps", [10, 100])
def test_euler_on_the_straight_path_is_ddim(steps: int) -> None:
    scheduler = schedule_of(DDIMScheduler, clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    assert ours("euler", schedule_grid(steps)) == pytest.approx(theirs(scheduler, start([])), abs=2e-3)


# diffusers converts its own tables of sigmas in a way that NumPy 2 calls deprecated.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("steps", [10, 20])
def test_dpm_solver_on_predicted_noise_is_that_of_diffusers(steps: int) -> None:
    scheduler = schedule_of(
        DPMSolverMultistepScheduler, timestep_spacing="trailing", euler_at_final=True, final_sigmas_type="zero"
    )
    scheduler.set_timesteps(steps)
    assert ours("dpm++2m", schedule_grid(steps)) == pytest.approx(theirs(scheduler, start([])), abs=2e-3)


@pytest.mark.parametrize("steps", [50, 1000])
def test_ancestral_sampling_is_that_of_diffusers_on_the_same_noise(steps: int) -> None:
    scheduler = schedule_of(DDPMScheduler, variance_type="fixed_small", clip_sample=True, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    expected = theirs(scheduler, start([]), generator=generator(5))
    noise = generator(5)
    times = schedule_grid(steps)
    begin = start(times) * math.hypot(times[0], 1 - times[0])
    found = ancestral(velocity, begin, times, draw=lambda: torch.randn(begin.shape, generator=noise), limit=1.0)
    assert found.numpy() == pytest.approx(expected, abs=5e-3)


def exact_noise(seen: Tensor, share: float) -> Tensor:
    """E[noise | y] for data N(MEAN, DEVIATION^2)."""
    variance = share * DEVIATION**2 + 1 - share
    return math.sqrt(1 - share) * (seen - math.sqrt(share) * MEAN) / variance


def exact_velocity(point: Tensor, time: float) -> Tensor:
    share = time**2 / (time**2 + (1 - time) ** 2)
    return (point - exact_noise(scaled(point, time), share)) / time


@pytest.mark.parametrize("steps", [200, 1000])
def test_ancestral_sampling_draws_gaussian_data(steps: int) -> None:
    times, noise = schedule_grid(steps), generator(3)
    begin = torch.randn(40_000, generator=noise) * math.hypot(times[0], 1 - times[0])
    found = ancestral(exact_velocity, begin, times, draw=lambda: torch.randn(begin.shape, generator=noise))
    assert float(found.mean()) == pytest.approx(MEAN, abs=0.005)
    assert float(found.std()) == pytest.approx(DEVIATION, rel=0.03 if steps == 1000 else 0.08)
    correlation = torch.corrcoef(torch.stack([begin, found]))[0, 1]
    assert abs(float(correlation)) < 0.05


def test_ancestral_sampling_of_a_flow_draws_gaussian_data() -> None:
    times, noise = [step / 400 for step in range(401)], generator(3)

    def flow(x: Tensor, time: float) -> Tensor:
        variance = (time * DEVIATION) ** 2 + (1 - time) ** 2
        return MEAN + (time * DEVIATION**2 - (1 - time)) / variance * (x - time * MEAN)

    begin = torch.randn(40_000, generator=noise)
    found = ancestral(flow, begin, times, draw=lambda: torch.randn(begin.shape, generator=noise))
    assert float(found.mean()) == pytest.approx(MEAN, abs=0.005)
    assert float(found.std()) == pytest.approx(DEVIATION, rel=0.05)


def test_predicted_images_are_clipped_only_where_a_limit_is_given() -> None:
    def far(x: Tensor, time: float) -> Tensor:
        return torch.full_like(x, 9.0)

    def draw() -> Tensor:
        return torch.zeros(2)

    assert ancestral(far, torch.zeros(2), [0.0, 1.0], draw=draw, limit=1.0).tolist() == [1.0, 1.0]
    assert ancestral(far, torch.zeros(2), [0.0, 1.0], draw=draw).tolist() == [9.0, 9.0]


@pytest.mark.parametrize("name", ["euler", "dpm++2m", "unipc", "heun", "adams"])
def test_every_fast_solver_follows_the_exact_flow_of_predicted_noise(name: str) -> None:
    times = schedule_grid(250)
    noise = torch.randn(50, generator=generator(), dtype=torch.float64)
    length = math.hypot(times[0], 1 - times[0])
    found = SOLVERS[name](exact_velocity, noise * length, times)
    first = math.sqrt((times[0] * DEVIATION) ** 2 + (1 - times[0]) ** 2)
    exact = MEAN + DEVIATION / first * (noise * length - times[0] * MEAN)
    assert (found - exact).abs().max() < 0.02


def tiny(**values: object) -> DiffusionFamily:
    config = DiffusionConfig(height=16, width=16, channels=1, features=16, objective="ddpm", **values)
    family = DiffusionFamily(config)
    family.initialise(generator())
    return family


def test_an_untrained_ddpm_is_the_best_linear_guess_of_the_noise_for_gaussian_data() -> None:
    data = MEAN + DEVIATION * torch.randn(1000, 1, 16, 16, generator=generator(1))
    family = tiny()
    family.initialise_from_data([{"target": data}])
    with torch.no_grad():
        for parameter in family.network.unet.leave.parameters():
            parameter.zero_()
    # What no one can know of the noise: its variance given the point, averaged over the steps.
    left = [share * DEVIATION**2 / (share * DEVIATION**2 + 1 - share) for share in signal_shares()]
    found = float(family.validation_loss({"target": data}, generator()).value)
    assert found == pytest.approx(float(np.mean(left)), rel=0.01)


def test_the_velocity_of_a_ddpm_says_the_noise_that_its_network_predicts() -> None:
    family = tiny()
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(3)))
        point = torch.randn(4, 1, 16, 16, generator=generator(4))
        time = torch.tensor([step_times()[step - 1] for step in (1, 100, 600, 1000)])
        predicted = family.network.noise(point, time, Condition())
        speed = family.velocity(point, time, Condition())
        told = []
        hook = family.network.unet.register_forward_pre_hook(lambda _, given: told.append(given[1]))
        assert torch.equal(family.velocity(point, time, Condition()), speed)
        hook.remove()
    assert torch.allclose(point - time[:, None, None, None] * speed, predicted, atol=1e-5)
    assert torch.allclose(told[0], 1 - torch.tensor([1.0, 100.0, 600.0, 1000.0]) / NOISE_STEPS, atol=1e-4)


def test_a_ddpm_learns_a_constant_image() -> None:
    family = tiny()
    data = {"target": torch.linspace(-0.5, 0.5, 16).expand(16, 1, 16, 16).contiguous()}
    optimiser = torch.optim.AdamW(family.parameters(), 3e-3)
    for step in range(60):
        optimiser.zero_grad()
        family.phases()[0].loss(data, generator(step)).value.backward()
        optimiser.step()
    assert float(family.validation_loss(data, generator()).value) < 0.5
