"""Few steps instead of ten: the network learns to go from stop to stop on its teacher's paths, each time in one step.

A model that denoises predicts the mean of the images that a point could have come from, which is a blur where there is much noise. Its
paths, however, are deterministic: from every point on one the same next point is reached, and a network can learn to say it at once, as
the mean velocity between two stops t and s::

    u(x_t, t) = (x_s - x_t) / (s - t)      (Salimans and Ho 2022, arXiv 2202.00512, section 3; Geng et al. 2025, arXiv 2505.13447, eq. 3)

which is the velocity itself where s is near t; so the network of the teacher, with its weights, is where the student begins.

Decisions. A student is made for a number of steps. One that says from every point where the path *ends* (consistency; Song et al. 2023,
arXiv 2303.01469) serves any number, and was what stood here before; but what a point near the noise leaves open it can only blur, and
with two steps it came to 1.7 times the teacher's distance, where going half of the way leaves little open (docs/log.md). The next stop is
taken from the teacher, who follows the whole path as it would to make an image: a target without an error of its own, which in minutes
counts more than its price (Luhman and Luhman 2021, arXiv 2101.02388). One path teaches at all stops. Guidance is part of the teacher's
path and so is learned with it. The error is the root of the mean square of an image (a pseudo-Huber metric; Song and Dhariwal 2023, arXiv
2310.14189, section 3.3), so that points near the noise, with the largest errors, do not drown the others.
"""

import itertools
import math
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from makar.families.diffusion.condition import Condition, no_captions
from makar.families.diffusion.config import PATH_STEPS, DiffusionConfig
from makar.families.diffusion.noise_schedule import schedule_grid
from makar.families.diffusion.solvers import Velocity, unipc
from makar.families.diffusion.time_grid import time_grid

FLOW_SHIFT, DDPM_SHIFT = 2.0, 1.0
"""Of the times at which a sampler stops where nothing else is asked for."""

TEACHER_STEPS = PATH_STEPS
STOPS = {1: (0,), 2: (0, 6), 3: (0, 4, 7), 4: (0, 3, 6, 8)}
"""By number of steps: where on the teacher's way the student is asked. With two steps the second is at time 0.43 of a flow."""

SOFTNESS = 0.03
"""Below this root mean square an error counts as its square."""

Told = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]
"""Classes, caption tokens, sources and their noise of a batch."""


Step = tuple[Tensor, Tensor, float]
"""Where a student stands, the velocity that it says there, and the time until the next stop."""


class Denoises(Protocol):
    """A model that says velocities."""

    def condition(
        self, label: Tensor | None, caption: Tensor | None, source: Tensor | None, amount: Tensor | None
    ) -> Condition:
        """Return the conditions of a batch."""

    def velocity(self, point: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """Return the velocity at each point."""


def usual_times(config: DiffusionConfig, steps: int, *, shift: float | None = None) -> list[float]:
    """Return the times at which a solver stops.

    Args:
        config: Says which schedule.
        steps: Number of steps.
        shift: Above 1 for more of the steps near the noise; ``None`` for what is usual.
    """
    if config.objective == "ddpm":
        return schedule_grid(steps, shift=DDPM_SHIFT if shift is None else shift)
    return time_grid(steps, shift=FLOW_SHIFT if shift is None else shift)


def student_times(config: DiffusionConfig) -> list[float]:
    """Return the times of a student: those at which it is asked, and that at which it arrives."""
    times = usual_times(config, TEACHER_STEPS)
    return [*(times[stop] for stop in STOPS[config.student_steps]), times[-1]]


def path_of(
    velocity: Velocity, start: Float[Tensor, "batch channels height width"], config: DiffusionConfig
) -> Float[Tensor, "stops batch channels height width"]:
    """Return the points of the teacher's paths at the student's times, the images that they end at last.

    Args:
        velocity: The teacher's, guided.
        start: Points at the first time.
        config: Of the student.
    """
    times = usual_times(config, TEACHER_STEPS)
    seen: list[Tensor] = []

    def noted(x: Tensor, time: float) -> Tensor:
        # The solver asks at the points of its path, one a step.
        seen.append(x)
        return velocity(x, time)

    end = unipc(noted, start, times).clamp(-config.limit, config.limit)
    return torch.stack([*(seen[stop] for stop in STOPS[config.student_steps]), end])


def lesson(
    student: Denoises,
    teacher: Denoises,
    *,
    noise: Float[Tensor, "batch channels height width"],
    told: Told,
    config: DiffusionConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch channels height width"]]:
    """Return the error of a student on the teacher's paths from some noise, and the images that it arrives at itself.

    Args:
        student: What learns.
        teacher: What makes the paths.
        noise: Where they start, of the deviation that noise has in this model.
        told: Class, caption, source and its noise of every example; ``None`` for what the model does not know.
        config: Of the student.
    """
    with torch.no_grad():
        points = path_of(_guided(teacher, told, config), _start(noise, config), config)
    walked = walk(student, noise=noise, told=told, config=config)
    errors = [
        path_error(said, (wanted - at) / span) for (at, said, span), wanted in zip(walked, points[1:], strict=True)
    ]
    return torch.stack(errors).mean(), arrival(walked)


def walk(
    student: Denoises, *, noise: Float[Tensor, "batch channels height width"], told: Told, config: DiffusionConfig
) -> list[Step]:
    """Return the steps that a student takes itself: where it stands, what it says there, and how far it goes.

    It learns where it will stand when it makes images, not where its teacher would stand: what a step leaves wrong the next one is
    taught to mend.
    """
    condition, at, steps = student.condition(*told), _start(noise, config), []
    for begin, end in itertools.pairwise(student_times(config)):
        said = student.velocity(at, torch.full((len(at),), begin, device=at.device), condition)
        steps.append((at, said, end - begin))
        at = at + (end - begin) * said
    return steps


def arrival(steps: list[Step]) -> Float[Tensor, "batch channels height width"]:
    """Return the images that some steps end at."""
    at, said, span = steps[-1]
    return at + span * said


def _start(noise: Tensor, config: DiffusionConfig) -> Tensor:
    first = usual_times(config, TEACHER_STEPS)[0]
    return noise * math.hypot(first, 1 - first)


def _guided(teacher: Denoises, told: Told, config: DiffusionConfig) -> Velocity:
    """Return the teacher's velocity with the guidance that is to be learned (Ho and Salimans 2022, arXiv 2207.12598)."""
    towards = teacher.condition(*told)

    def plain(x: Tensor, time: float) -> Tensor:
        return teacher.velocity(x, torch.full((len(x),), time, device=x.device), towards)

    if config.guided == 1.0:
        return plain
    label, caption, source, amount = told
    away = teacher.condition(
        None if label is None else torch.full_like(label, config.classes),
        None if caption is None else no_captions(caption),
        source,
        amount,
    )

    def field(x: Tensor, time: float) -> Tensor:
        without = teacher.velocity(x, torch.full((len(x),), time, device=x.device), away)
        return without + config.guided * (plain(x, time) - without)

    return field


def path_error(
    predicted: Float[Tensor, "rows channels height width"], wanted: Float[Tensor, "rows channels height width"]
) -> Float[Tensor, ""]:
    """Return the mean over images of the softened root mean square between predicted and true mean velocities."""
    squares = (predicted.float() - wanted).square().mean((1, 2, 3))
    return ((squares + SOFTNESS**2).sqrt() - SOFTNESS).mean()
