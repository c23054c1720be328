"""Refuses to make images: two encoders tell what belongs together, and nothing of theirs leads back to pixels."""

from collections.abc import Iterator

import numpy as np

from makar.errors import UnsupportedError
from makar.families.contrastive.options import ContrastiveOptions
from makar.families.family import Batch, Sampler


class ContrastiveSampler(Sampler):
    """Says what can make images instead."""

    def sample(
        self, options: ContrastiveOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Refuse.

        Raises:
            UnsupportedError: Always; it names recipes that make images of descriptions.
        """
        del options, prompts, seeds
        raise UnsupportedError(
            "this model compares images and captions and makes none",
            expected="makar predict with --labels or --query",
            do='to make images of descriptions, train with the recipe "image-text" or "latent-diffusion"',
        )
