"""Sampling of a DCGAN: a random vector from the seed, on the great circle towards that of another seed where one is named."""

from collections.abc import Callable

import torch
from torch import Tensor

from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.options import DcganOptions
from makar.families.gan.sampler import GanSampler, great_circle

Render = Callable[[Tensor, Tensor | None], Tensor]


class DcganSampler(GanSampler):
    """Makes images.

    Args:
        render: From random vectors and labels to images.
        config: Sizes of the model.
        device: Where the network is.
        class_counts: Training images of each class by name, in the order of the class numbers.
    """

    def __init__(
        self, render: Render, *, config: DcganConfig, device: torch.device, class_counts: dict[str, int]
    ) -> None:
        super().__init__(config=config, device=device, class_counts=class_counts)
        self._render = render

    def make(self, options: DcganOptions, seeds: list[int], labels: list[int | None], shares: list[float]) -> Tensor:
        """Return one image a seed."""
        latent = self._latents(seeds)
        if options.towards_seed is not None:
            other = self._latents([options.towards_seed]).expand_as(latent)
            latent = great_circle(latent, other, torch.tensor(shares, device=latent.device)[:, None])
        return self._render(latent, self._labels(labels))
