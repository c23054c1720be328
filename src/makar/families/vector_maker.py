"""Draws what a stage makes of captions for the stage after it: vectors that lead back to no content, so nothing leaves unsigned.

Content leaves Makar through ``makar.generation`` alone; this takes only stages whose codec gives none back.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from makar.codecs.codec import Codec
from makar.families.family import Family
from makar.tensor_spec import CAPTION, TARGET


def makes_vectors(family: Family, codec: Codec | None) -> bool:
    """Return whether a trained family draws something of captions that is no content."""
    return codec is not None and not codec.decodes and family.creates and CAPTION in family.config.accepts()


class VectorMaker:
    """Makes vectors of captions with the usual controls of a family.

    Args:
        family: In evaluation mode, with its final weights.
        codec: The codec that it was trained with.
    """

    def __init__(self, family: Family, codec: Codec) -> None:
        self._family = family
        self._codec = codec

    def make(self, captions: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return one vector a caption, on the CPU, in the range of the family; the same seed gives the same one."""
        sampler = self._family.sampler(self._codec)
        made: dict[int, Tensor] = {}
        prompts = [{CAPTION: row} for row in captions]
        for index, slots, _ in sampler.sample(self._family.options(), prompts, list(seeds)):
            made[index] = torch.from_numpy(slots[TARGET])
        return torch.stack([made[index] for index in range(len(seeds))])
