"""Rebuilds given images from their tokens; without an image there is nothing to rebuild, and it says what can make one."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.vqvae.config import VqvaeConfig
from makar.families.vqvae.options import VqvaeOptions
from makar.tensor_spec import SOURCE, TARGET

BATCH = 64


class VqvaeSampler(Sampler):
    """Rebuilds images.

    Args:
        encode: From images to tokens.
        decode: From tokens to images.
        config: Sizes of the model.
        device: Where the network is.
    """

    def __init__(
        self,
        encode: Callable[[Tensor], Tensor],
        decode: Callable[[Tensor], Tensor],
        *,
        config: VqvaeConfig,
        device: torch.device,
    ) -> None:
        self._encode = encode
        self._decode = decode
        self._shape = (config.channels, config.height, config.width)
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
                f"this autoencoder cannot use {', '.join(sorted(unknown))}", expected="an image to rebuild"
            )
        if SOURCE not in prompt:
            raise UnsupportedError(
                "this model turns images into tokens and back, and makes no new ones",
                expected="an image to rebuild",
                do='to make new images, train with the recipe "image" or "vae"',
            )
        source = prompt[SOURCE]
        if tuple(source.shape) != self._shape:
            raise UnsupportedError(f"an image of shape {tuple(source.shape)}", expected=str(self._shape))
        return source
