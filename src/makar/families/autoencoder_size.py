"""Exact counts of parameters and operations of the encoder and decoder of ``makar.nn.autoencoder``, and an estimate of activations.

Tests compare the first two with the built networks. An operation is a multiplication or an addition; norms and
activations are left out of the operations. No torch.
"""

import dataclasses
import itertools

BLOCK_VALUES = 5.0
"""What a block keeps for its backward pass, as a multiple of its channels (counted on the built network)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Levels:
    """The shape of an encoder or decoder.

    Attributes:
        pixels: Values of the image in one folded position: channels times patch squared.
        widths: Channels of every level, the finest first.
        sizes: (rows, columns) of every level.
        blocks: Blocks a level.
    """

    pixels: int
    widths: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    blocks: int

    @property
    def places(self) -> tuple[int, ...]:
        """Positions of every level."""
        return tuple(rows * columns for rows, columns in self.sizes)


def level_sizes(height: int, width: int, *, patch: int, levels: int) -> tuple[tuple[int, int], ...]:
    """Return (rows, columns) of every level: the patches of the image, then each time half of it, rounded up."""
    sizes = [(-(-height // patch), -(-width // patch))]
    for _ in range(levels - 1):
        rows, columns = sizes[-1]
        sizes.append((-(-rows // 2), -(-columns // 2)))
    return tuple(sizes)


def affine(inputs: int, outputs: int) -> int:
    """Return the parameters of an affine map."""
    return inputs * outputs + outputs


def encoder_parameters(shape: Levels) -> int:
    """Return the number of parameters of an encoder."""
    count = affine(9 * shape.pixels, shape.widths[0]) + _block_parameters(shape)
    return count + sum(affine(4 * width, below) for width, below in itertools.pairwise(shape.widths))


def decoder_parameters(shape: Levels) -> int:
    """Return the number of parameters of a decoder."""
    count = affine(9 * shape.widths[0], shape.pixels) + _block_parameters(shape)
    return count + sum(affine(below, 4 * width) for width, below in itertools.pairwise(shape.widths))


def encoder_operations(shape: Levels) -> float:
    """Return operations of one pass of an encoder over one image; a decoder of this shape takes as many."""
    products = shape.places[0] * 9 * shape.pixels * shape.widths[0]
    products += sum(shape.blocks * places * 10 * width * width for width, places in zip(shape.widths, shape.places))
    for places, (width, below) in zip(shape.places[1:], itertools.pairwise(shape.widths)):
        products += places * 4 * width * below
    return 2.0 * products


def activation_values(shape: Levels) -> float:
    """Return about how many values training keeps for one image in an encoder or a decoder."""
    values = float(shape.places[0] * shape.pixels)
    for width, places in zip(shape.widths, shape.places):
        values += places * width * (2.0 + BLOCK_VALUES * shape.blocks)
    return values


def _block_parameters(shape: Levels) -> int:
    return sum(shape.blocks * (affine(9 * width, width) + affine(width, width)) for width in shape.widths)
