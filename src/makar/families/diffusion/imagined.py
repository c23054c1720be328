"""Images from captions by way of vectors: what a caption leaves open is imagined first, then drawn (DALL-E 2).

A model whose source is one vector an image, its embedding, draws that vector from the caption with the prior that its codec works through,
with the same seed, so that an asset can be made again alone. Where a vector is given, of an image to vary, nothing is imagined. Frames
between two images go along the great circle of their vectors, all from the noise of one seed.

Source: Ramesh et al. 2022, arXiv 2204.06125, sections 2.1, 3.1 and 3.2.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from makar.errors import ConfigError
from makar.families.diffusion.editing import between_noises
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.estimates import Watcher
from makar.families.family import Batch, Sampler
from makar.tensor_spec import CAPTION, SOURCE


@runtime_checkable
class Imagines(Protocol):
    """A codec that draws the source of images from their captions."""

    def imagine(self, captions: list[Tensor | None], seeds: list[int]) -> Tensor:
        """Return one source an example ``[batch, channels, 1, 1]``; a caption of ``None`` leaves everything open."""


class ImaginedSampler(Sampler):
    """Makes images from captions, and from the vectors of other images.

    Args:
        images: Makes images from vectors.
        codec: Draws vectors from captions.
    """

    def __init__(self, images: ImageSampler, codec: Imagines) -> None:
        self._images = images
        self._codec = codec

    def watch(self, watcher: Watcher, *, most: int) -> None:
        """Tell a watcher at some steps what each image is expected to become."""
        self._images.watch(watcher, most=most)

    def sample(
        self, options: ImageOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed, of the ``source`` that its prompt hands in or of one that is imagined for its caption.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -limit..limit}, True), in order.

        Raises:
            UnsupportedError: A control or a slot that this model cannot honour.
        """
        whole = prompts or [{} for _ in seeds]
        open_ = [number for number, prompt in enumerate(whole) if SOURCE not in prompt]
        if open_:
            captions = [whole[number].get(CAPTION) for number in open_]
            imagined = self._codec.imagine(captions, [seeds[number] for number in open_])
            whole = list(whole)
            for number, source in zip(open_, imagined, strict=True):
                whole[number] = whole[number] | {SOURCE: source}
        return self._images.sample(options, whole, seeds)

    def interpolate(self, options: ImageOptions, *, first_seed: int, last_seed: int, count: int) -> np.ndarray:
        """Make images on the way from what one seed imagines to what another does, ends included.

        Returns:
            float32 ``[count, channels, height, width]`` in -limit..limit.
        """
        first, last = self._codec.imagine([None, None], [first_seed, last_seed])
        noises = self._images.noise_of(first_seed), self._images.noise_of(last_seed)
        return self._between(options, (first, last), noises, count)

    def interpolate_between(
        self, options: ImageOptions, *, first: Tensor, last: Tensor, count: int, seed: int = 0
    ) -> np.ndarray:
        """Make images on the way from one vector to another, ends included, all from the noise of one seed.

        Args:
            options: The controls.
            first: Vector of an image ``[channels, 1, 1]``.
            last: That of another.
            count: Number of images, at least 2.
            seed: Of the noise.

        Returns:
            float32 ``[count, channels, height, width]`` in -limit..limit.
        """
        noise = self._images.noise_of(seed)
        return self._between(options, (first, last), (noise, noise), count)

    def _between(
        self, options: ImageOptions, sources: tuple[Tensor, Tensor], noises: tuple[Tensor, Tensor], count: int
    ) -> np.ndarray:
        if count < 2:
            raise ConfigError(f"an interpolation of {count} images", expected="at least 2")
        shares = [float(share) for share in torch.linspace(0, 1, count)]
        return self._images.from_noises(
            options,
            torch.stack([between_noises(*noises, share) for share in shares]),
            [{SOURCE: between_noises(*sources, share)} for share in shares],
        )
