"""Exact count of the parameters that are trained when a network is steered and not changed (``makar.nn.control``).

The operations of a step are counted as those of the network alone: its way down runs forward only, its way up forward and for gradients
that pass through, the copy of the way down forward and twice backward; with both ways about as large, that is three passes of the network.
"""

import itertools
from typing import Protocol

from makar.families.diffusion.size import Sizes, affine, attention_parameters, reading_parameters


class Steered(Sizes, Protocol):
    """The part of a configuration that the copy depends on."""

    @property
    def source_planes(self) -> int: ...


def parameter_count(sizes: Steered) -> int:
    """Return the number of trainable parameters: of the copy, of what leads the source into it, and of what joins it to the network."""
    embedding, widths = sizes.embedding_width, sizes.level_widths
    folded = sizes.patch**2
    count = affine(9 * sizes.source_planes * folded, widths[0]) + affine(9 * widths[0], widths[0])
    count += affine(9 * sizes.frame_channels * folded, widths[0])
    for level, width in enumerate(widths):
        hidden = sizes.expansion * width
        block = affine(embedding, 2 * width) + affine(9 * width, hidden) + affine(9 * hidden, width)
        count += sizes.blocks * block + affine(width, width)
        if level in sizes.attention_levels:
            count += attention_parameters(sizes, width) + reading_parameters(sizes, width)
    return count + sum(affine(4 * width, below) for width, below in itertools.pairwise(widths))
