"""A convolutional encoder and decoder along time, of frames with many channels, shrinking by a factor a level.

Frames are ``[batch, frames, channels]``: a convolution of three frames is a matrix product over three neighbours side by side, which is
what a CPU does best. A block is norm, convolution, SiLU, affine, added to its input, and starts as the identity; a level ends by folding
so many frames into the channels of one. Nothing depends on the number of frames, so what was learned on short pieces works on long ones.
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Pointwise


class FrameBlock(nn.Module):
    """Norm, convolution of three frames, SiLU, affine, added to the input.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Pointwise(3 * width, width)
        self.second = Pointwise(width, width, scale=0.0)

    def forward(self, x: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch frames width"]:
        return x + self.second(F.silu(self.first(neighbours(F.layer_norm(x, (x.shape[-1],))))))


class FrameEncoder(nn.Module):
    """From frames to vectors, fewer by the product of the strides.

    Args:
        channels: Channels of a frame.
        width: Channels inside.
        strides: Frames that become one, level by level.
        blocks: Blocks a level, and as many after the last.
    """

    def __init__(self, *, channels: int, width: int, strides: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.enter = Pointwise(3 * channels, width)
        self.levels = nn.ModuleList(_blocks(width, blocks) for _ in range(len(strides) + 1))
        self.shrink = nn.ModuleList(Pointwise(stride * width, width) for stride in strides)

    def forward(self, x: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch fewer width"]:
        """Return the vectors; the frames are a multiple of the product of the strides."""
        x = self.enter(neighbours(x))
        for level, shrink, stride in itertools.zip_longest(self.levels, self.shrink, self.strides):
            x = level(x)
            if shrink is not None:
                x = shrink(x.reshape(x.shape[0], x.shape[1] // stride, stride * x.shape[2]))
        return x


class FrameDecoder(nn.Module):
    """From vectors back to frames; the mirror of ``FrameEncoder``.

    Args:
        channels: Channels of a frame.
        width: Channels inside.
        strides: Those of the encoder.
        blocks: Blocks a level, and as many before the first.
    """

    def __init__(self, *, channels: int, width: int, strides: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.strides = tuple(reversed(strides))
        self.levels = nn.ModuleList(_blocks(width, blocks) for _ in range(len(strides) + 1))
        self.grow = nn.ModuleList(Pointwise(width, stride * width) for stride in self.strides)
        self.leave = Pointwise(3 * width, channels, scale=0.0)

    def forward(self, x: Float[Tensor, "batch fewer width"]) -> Float[Tensor, "batch frames channels"]:
        """Return the frames, as many as vectors times the product of the strides."""
        for level, grow, stride in itertools.zip_longest(self.levels, self.grow, self.strides):
            x = level(x)
            if grow is not None:
                x = grow(x).reshape(x.shape[0], x.shape[1] * stride, x.shape[2])
        return self.leave(neighbours(F.silu(F.layer_norm(x, (x.shape[-1],)))))


def neighbours(x: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch frames three_times"]:
    """Return every frame with the one before and the one after it, zeros beyond the ends."""
    padded = F.pad(x, (0, 0, 1, 1))
    return torch.cat([padded[:, :-2], x, padded[:, 2:]], -1)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(FrameBlock(width) for _ in range(count)))
