"""Refuses to make sounds: a recogniser writes down what it hears, and says which recipes speak."""

from collections.abc import Iterator

import numpy as np

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.recogniser.options import RecogniserOptions


class RecogniserSampler(Sampler):
    """Says what can speak instead."""

    def sample(
        self, options: RecogniserOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Refuse.

        Raises:
            UnsupportedError: Always; it names recipes that speak.
        """
        del options, prompts, seeds
        raise UnsupportedError(
            "this model writes down what it hears and makes no sounds",
            expected="makar predict with recordings",
            do='to speak texts, train with the recipe "speech" or "speech-voices"',
        )
