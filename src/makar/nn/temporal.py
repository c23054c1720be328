"""Layers that look along time, between the layers of an image network that look at one frame each.

An image network sees the frames of a clip as a batch of images. Behind each of its blocks a temporal convolution mixes every position with
the same position one frame before and after, and where the network attends, every position also attends to itself in all frames (Ho et al.
2022, Video Diffusion Models, arXiv 2204.03458; convolutions of one and two dimensions in the place of three: Tran et al. 2018, arXiv
1711.11248). What they add starts at nothing, so an image network with them is at first the image network itself, frame by frame, and a
trained one is a start (Guo et al. 2023, AnimateDiff, arXiv 2307.04725; Blattmann et al. 2023, arXiv 2304.08818).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Pointwise
from makar.nn.token_attention import TokenAttention

TAPS = 3
"""Frames that a temporal convolution sees: the one before, its own, the one after."""


class TemporalConvolution(nn.Module):
    """A residual block along time: norm, convolution over three frames, SiLU, 1x1 convolution.

    Args:
        width: Channels.
        frames: Frames of a clip.
    """

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.first = Pointwise(width, TAPS * width)
        self.second = Pointwise(width, width, scale=0.0)

    def forward(
        self, x: Float[Tensor, "images height width channels"]
    ) -> Float[Tensor, "images height width channels"]:
        """Mix each frame with its neighbours; the frames of a clip follow each other along the first axis."""
        seen = self.first(F.layer_norm(x, (x.shape[-1],))).unflatten(0, (-1, self.frames))
        before, now, after = seen.chunk(TAPS, dim=-1)
        # What lies before the first and after the last frame is nothing.
        mixed = now.clone()
        mixed[:, 1:] += before[:, :-1]
        mixed[:, :-1] += after[:, 1:]
        return x + self.second(F.silu(mixed).flatten(0, 1))


class TemporalAttention(nn.Module):
    """Attention of every position to the same position in all frames, added to its input.

    Args:
        width: Channels.
        heads: Number of heads; divides ``width``.
        frames: Frames of a clip.
    """

    def __init__(self, width: int, heads: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.places = nn.Parameter(torch.zeros(frames, width))
        self.attention = TokenAttention(width, heads)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the vectors that tell the frames apart."""
        with torch.no_grad():
            self.places.copy_(0.5 * torch.randn(self.places.shape, generator=generator).to(self.places.device))

    def forward(
        self, x: Float[Tensor, "images height width channels"]
    ) -> Float[Tensor, "images height width channels"]:
        """Let each position look along time."""
        _, height, width, channels = x.shape
        normal = F.layer_norm(x, (channels,)).reshape(-1, self.frames, height * width, channels)
        along = normal.transpose(1, 2).flatten(0, 1) + self.places.to(x.dtype)
        told = self.attention(along).reshape(-1, height * width, self.frames, channels)
        return x + told.transpose(1, 2).reshape(x.shape)
