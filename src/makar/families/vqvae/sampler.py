"""Rebuilds given images and sounds from their tokens; without one there is nothing to rebuild, and it says what can make one."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.vqvae.options import VqvaeOptions
from makar.tensor_spec import SOURCE, TARGET

BATCH = 64
MAKERS = {"image": 'the recipe "image" or "vae"', "sound": 'the recipe "musicgen" or "sound"'}
"""What makes new ones, by what is rebuilt."""


class VqvaeSampler(Sampler):
    """Rebuilds images, or the pictures of sounds.

    Args:
        encode: From images to tokens.
        decode: From tokens to images.
        shape: Channels, height and width of an image.
        noun: ``"image"`` or ``"sound"``.
        device: Where the network is.
    """

    def __init__(
        self,
        encode: Callable[[Tensor], Tensor],
        decode: Callable[[Tensor], Tensor],
        *,
        shape: tuple[int, int, int],
        noun: str,
        device: torch.device,
    ) -> None:
        self._encode = encode
        self._decode = decode
        self._shape = shape
        self._noun = noun
        self._device = device

    def sample(
        self, options: VqvaeOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Rebuild the ``source`` of every prompt; the seeds change nothing.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: A prompt has no ``source``, one of another shape, or something else.
        """
        del options
        sources = [self._source(prompt) for prompt in (prompts or [{} for _ in seeds])]
        for start in range(0, len(sources), BATCH):
            images = torch.stack(sources[start : start + BATCH]).to(self._device)
            for offset, image in enumerate(self._decode(self._encode(images)).float().cpu().numpy()):
                yield start + offset, {TARGET: image}, True

    def _source(self, prompt: Batch) -> Tensor:
        unknown = set(prompt) - {SOURCE}
        if unknown:
            raise UnsupportedError(
                f"this autoencoder cannot use {', '.join(sorted(unknown))}", expected=f"one {self._noun} to rebuild"
            )
        if SOURCE not in prompt:
            raise UnsupportedError(
                f"this model turns {self._noun}s into tokens and back, and makes no new ones",
                expected=f"one {self._noun} to rebuild",
                do=f"to make new {self._noun}s, train with {MAKERS[self._noun]}",
            )
        source = prompt[SOURCE]
        if tuple(source.shape) != self._shape:
            raise UnsupportedError(f"the {self._noun} of shape {tuple(source.shape)}", expected=str(self._shape))
        return source
