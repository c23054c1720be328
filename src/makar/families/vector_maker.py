"""Draws what a stage makes for the stage after it: vectors or tokens, which are no content, so nothing leaves unsigned.

Content leaves Makar through ``makar.generation`` alone; this takes only stages whose codec works through another stage, and gives what
they draw as they draw it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from makar.codecs.codec import Codec, LearnedCodec
from makar.families.family import Family
from makar.tensor_spec import TARGET


def makes_vectors(family: Family, codec: Codec | None) -> bool:
    """Return whether a trained family draws vectors or tokens that only a codec could lead back to content."""
    return isinstance(codec, LearnedCodec) and family.creates


class VectorMaker:
    """Makes vectors or tokens with the controls of a family.

    Args:
        family: In evaluation mode, with its final weights.
        codec: The codec that it was trained with.
    """

    def __init__(self, family: Family, codec: Codec) -> None:
        self._family = family
        self._codec = codec

    def make(
        self, prompts: Sequence[Mapping[str, Tensor]], seeds: Sequence[int], options: Mapping[str, Any]
    ) -> list[Tensor]:
        """Return one example a prompt, on the CPU, in the range of the family; the same seed gives the same one."""
        sampler = self._family.sampler(self._codec)
        controls = self._family.options.from_dictionary(dict(options))
        made: dict[int, Tensor] = {}
        for index, slots, _ in sampler.sample(controls, [dict(prompt) for prompt in prompts], list(seeds)):
            made[index] = torch.from_numpy(slots[TARGET])
        return [made[index] for index in range(len(seeds))]
