"""The controls of encoders, none, and a sampler that says what writes texts: an encoder reads and writes nothing."""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from makar.config import Config
from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""


class EncoderSampler(Sampler):
    """Refuses to write."""

    def sample(
        self, options: EncoderOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Refuse.

        Raises:
            UnsupportedError: Always; it names what reads a text, and what writes one.
        """
        del options, prompts, seeds
        raise UnsupportedError(
            "this model reads texts and writes none",
            expected="makar predict, with texts to read",
            do='to write texts, train with the recipe "text"',
        )
