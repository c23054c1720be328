"""The image that a pipeline of diffusers is expected to end in, found at some steps of its scheduler.

A scheduler is handed what the denoiser says and the point that it is at, ``x = a data + s noise``; its own ``add_noise``, of flow matching
``scale_noise``, tells a and s. With what the denoiser learned to say the data follow::

    noise      data = (x - s e) / a                                     (Ho et al. 2020, arXiv 2006.11239, eq. 15)
    velocity   data = (a x / c - s v) / c,  c = sqrt(a a + s s)         (Salimans and Ho 2022, arXiv 2202.00512, appendix D)
    flow       data = x - s v                                           (Esser et al. 2024, arXiv 2403.03206, section 2)

Guidance has been applied before, so it is the guided estimate. The pipeline's own autoencoder turns it into an image.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.estimates import told_steps
from makar.families.pretrained.solvers import is_flow

Tell = Callable[[list[np.ndarray], int, int], None]
"""Told the images of a batch in the range of the sampler, the step from 1, and how many there are."""


def watch_steps(pipeline: Any, *, most: int, tell: Tell) -> None:
    """Tell at some steps of the next call of a pipeline what its images are expected to become.

    Args:
        pipeline: A form of Stable Diffusion with a scheduler of its own for this call.
        most: Estimates of every image.
        tell: Told each.
    """
    scheduler = pipeline.scheduler
    original = scheduler.step
    calls = 0

    @functools.wraps(original)
    def step(
        model_output: Tensor,
        timestep: Any,
        sample: Tensor,
        *,
        return_dict: bool = True,
        eta: float | None = None,
        generator: Any = None,
    ) -> Any:
        nonlocal calls
        steps = pipeline.num_timesteps
        calls += 1
        if calls - 1 in told_steps(steps, most):
            data = expected(scheduler, model_output, timestep, sample)
            tell(pictures(pipeline, data), calls, steps)
        given = {name: value for name, value in (("eta", eta), ("generator", generator)) if value is not None}
        return original(model_output, timestep, sample, return_dict=return_dict, **given)

    # A pipeline looks at what its scheduler takes before it hands anything on.
    step.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    scheduler.step = step


def expected(scheduler: Any, said: Tensor, timestep: Any, point: Tensor) -> Tensor:
    """Return the data that a denoiser expects.

    Args:
        scheduler: Before its step.
        said: What the denoiser said, guided.
        timestep: Where the scheduler is.
        point: The noisy latents that it is at.

    Raises:
        UnsupportedError: The denoiser learned to say something else.
    """
    nothing, one = torch.zeros_like(point[:1, :1, :1, :1]), torch.ones_like(point[:1, :1, :1, :1])
    at = torch.as_tensor(timestep, device=point.device).reshape(1)
    if is_flow(scheduler):
        return point - scheduler.scale_noise(nothing, at, one) * said
    length, noise = scheduler.add_noise(one, nothing, at), scheduler.add_noise(nothing, one, at)
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return (point - noise * said) / length
    if kind == "v_prediction":
        whole = (length * length + noise * noise).sqrt()
        return (length * point / whole - noise * said) / whole
    if kind == "sample":
        return said
    raise UnsupportedError(
        f"previews of a pipeline that predicts {kind}", expected="epsilon, v_prediction, sample or flow"
    )


def pictures(pipeline: Any, data: Tensor) -> list[np.ndarray]:
    """Return latents as images, float32 ``[3, height, width]`` in -1..1."""
    vae = pipeline.vae
    shift = vae.config.get("shift_factor") or 0.0
    scaled = (data / vae.config.scaling_factor + shift).to(vae.dtype)
    decoded = vae.decode(scaled, return_dict=False)[0]
    return list(decoded.float().clamp(-1, 1).cpu().numpy())
