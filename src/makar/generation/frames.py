"""Images on the way from one image to another, or from one seed to another: one signed asset a frame."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from makar.errors import UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.edit_request import FRAMES, EditRequest
from makar.generation.guards import first_refusal
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import TARGET


@runtime_checkable
class BetweenSeeds(Protocol):
    """A sampler that makes the images between two seeds."""

    def interpolate(self, options: Any, *, first_seed: int, last_seed: int, count: int) -> np.ndarray:
        """Return float32 ``[count, channels, height, width]``, ends included."""


@runtime_checkable
class BetweenImages(Protocol):
    """A sampler that makes the images between two given images."""

    def interpolate_between(self, options: Any, *, first: Tensor, last: Tensor, count: int, seed: int) -> np.ndarray:
        """Return float32 ``[count, channels, height, width]``, ends included."""


def frames_between_seeds(request: Request, asked: EditRequest, *, seed: int, stated: dict[str, Any]) -> Iterator[Asset]:
    """Make frames from the image of one seed to that of another.

    Args:
        request: The model with its controls.
        asked: Names the second seed and the number of frames.
        seed: The first seed.
        stated: What goes into every manifest.
    """
    assert asked.to_seed is not None
    if asked.to_seed == seed:
        raise UsageError(f"frames from seed {seed} to itself", expected="another second seed")
    if not isinstance(request.sampler, BetweenSeeds):
        raise UnsupportedError("this model makes no frames between two seeds", expected="a model that interpolates")
    images = request.sampler.interpolate(
        request.options, first_seed=seed, last_seed=asked.to_seed, count=asked.frames or FRAMES
    )
    yield from _signed(request, images, seed=seed, stated=stated, is_composite=False)


def frames_between_images(
    request: Request, ends: tuple[Tensor, Tensor], asked: EditRequest, *, seed: int, stated: dict[str, Any]
) -> Iterator[Asset]:
    """Make frames from one image to another.

    Args:
        request: The model with its controls.
        ends: The two images as the model sees them.
        asked: Names the number of frames.
        seed: Of what is drawn.
        stated: What goes into every manifest.
    """
    if not isinstance(request.sampler, BetweenImages):
        raise UnsupportedError("this model makes no frames between two images", expected="a model that interpolates")
    images = request.sampler.interpolate_between(
        request.options, first=ends[0], last=ends[1], count=asked.frames or FRAMES, seed=seed
    )
    yield from _signed(request, images, seed=seed, stated=stated, is_composite=True)


def _signed(
    request: Request, images: np.ndarray, *, seed: int, stated: dict[str, Any], is_composite: bool
) -> Iterator[Asset]:
    for number, image in enumerate(images):
        place = {"frame": number, "frames": len(images)}
        change = Change(finish=unchanged, stated=stated | place, is_composite=is_composite)
        job = Job(Prompt(stated=None, slots={}, change=change), seed)
        draft = request.draft(job.prompt, {TARGET: image})
        refusal = first_refusal(request.guards, draft)
        if refusal is not None:
            raise UnsupportedError(f"frame {number} was refused: {refusal}", expected="other ends")
        yield request.asset(job, draft, 0)
