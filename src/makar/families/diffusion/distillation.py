"""Few steps instead of ten: the network learns to say from any point of a path where that path ends.

A model that denoises predicts the mean of the images that a point could have come from, which is a blur where there is much noise. Its
paths, however, are deterministic: from every point on one the same image is reached, and a network can learn to say that image at once::

    f(x_t, t) = x_t + (1 - t) v(x_t, t) = x_1      at every t of a path x      (Song et al. 2023, arXiv 2303.01469, definition 1)

In terms of the velocity the network has to say ``(x_1 - x_t) / (1 - t)``, the mean velocity over what is left of the path, which at the
end is the velocity itself; so the network of the teacher, with its weights, is where the student begins.

Decisions. The end of a path is not estimated by the student itself one small step ahead, as in consistency distillation, but taken from the
teacher, who follows the whole path as it would to make an image: a target without an error of its own, which in minutes counts more
than its price (Luhman and Luhman 2021, arXiv 2101.02388, do so from the noise alone). One path teaches at several points, where the
student will be asked, so a pair costs 2.5 evaluations of the teacher. Between steps new noise is drawn, as in algorithm 1 of Song et al.:
it covers what the step before did wrong. Guidance is part of the teacher's path and so is learned with it. The error is the root of the
mean square of an image (their successors' pseudo-Huber metric, Song and Dhariwal 2023, arXiv 2310.14189, section 3.3), so that points near
the noise, with the largest errors, do not drown the others.
"""

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
STOPS = {1: (0,), 2: (0, 6), 3: (0, 6, 8), 4: (0, 4, 6, 8)}
"""By number of steps: where on the teacher's way the student is asked. With two steps the second is at time 0.43 of a flow."""

DEFAULT_STEPS = 2
VISITED = STOPS[4]
SOFTNESS = 0.03
"""Below this root mean square an error counts as its square."""

Told = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]
"""Classes, caption tokens, sources and their noise of a batch."""


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


def student_times(config: DiffusionConfig, steps: int) -> list[float]:
    """Return the times at which a student that makes images in so many steps is asked."""
    times = usual_times(config, TEACHER_STEPS)
    return [times[stop] for stop in STOPS[steps]]


def path_of(
    velocity: Velocity, start: Float[Tensor, "batch channels height width"], config: DiffusionConfig
) -> tuple[Float[Tensor, "visited batch channels height width"], Float[Tensor, "batch channels height width"]]:
    """Return the points of the teacher's paths at which the student learns, and the images that they end at.

    Args:
        velocity: The teacher's, guided.
        start: Points at the first time.
        config: Of the teacher.
    """
    times = usual_times(config, TEACHER_STEPS)
    seen: list[Tensor] = []

    def noted(x: Tensor, time: float) -> Tensor:
        # The solver asks at the points of its path, one a step.
        seen.append(x)
        return velocity(x, time)

    end = unipc(noted, start, times).clamp(-config.limit, config.limit)
    return torch.stack([seen[stop] for stop in VISITED]), end


def lesson(
    student: Denoises,
    teacher: Denoises,
    *,
    noise: Float[Tensor, "batch channels height width"],
    told: Told,
    config: DiffusionConfig,
) -> Float[Tensor, ""]:
    """Return the error of a student on the teacher's paths from some noise.

    Args:
        student: What learns.
        teacher: What makes the paths.
        noise: Where they start, of the deviation that noise has in this model.
        told: Class, caption, source and its noise of every example; ``None`` for what the model does not know.
        config: Of the student.
    """
    times = usual_times(config, TEACHER_STEPS)
    with torch.no_grad():
        field = _guided(teacher, told, config)
        points, ends = path_of(field, noise * math.hypot(times[0], 1 - times[0]), config)
    count = len(VISITED)
    rows = [None if part is None else part.repeat(count, *[1] * (part.ndim - 1)) for part in told]
    visited = torch.tensor(student_times(config, count), device=noise.device).repeat_interleave(len(noise))
    points = points.flatten(0, 1)
    predicted = student.velocity(points, visited, student.condition(*rows))
    return path_error(predicted, points=points, ends=ends.repeat(count, 1, 1, 1), times=visited)


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
    predicted: Float[Tensor, "rows channels height width"],
    *,
    points: Float[Tensor, "rows channels height width"],
    ends: Float[Tensor, "rows channels height width"],
    times: Float[Tensor, " rows"],
) -> Float[Tensor, ""]:
    """Return the mean over images of the softened root mean square between predicted and true mean velocities to the end.

    Args:
        predicted: Of the student.
        points: Points on paths.
        ends: Where the paths end.
        times: Of the points.
    """
    wanted = (ends - points) / (1 - times)[:, None, None, None]
    squares = (predicted.float() - wanted).square().mean((1, 2, 3))
    return ((squares + SOFTNESS**2).sqrt() - SOFTNESS).mean()
