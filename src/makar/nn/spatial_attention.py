"""Self-attention between all positions of a small image, with normalised queries and keys.

The product is written out: in bfloat16 on a CPU the fused kernel of torch is several times slower below 256 positions, and an image is
attended to only where it has few. Normalised queries and keys (Henry et al. 2020, arXiv 2010.04245) keep the logits bounded at
learning rates at which plain attention diverges. Positions are told apart by the convolutions around it.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Pointwise


class SpatialAttention(nn.Module):
    """Multi-head attention over height x width, added to its input.

    Args:
        width: Channels.
        heads: Number of heads; divides ``width``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = Pointwise(width, 3 * width, bias=False)
        self.out = Pointwise(width, width, scale=0.0)
        self.sharpness = nn.Parameter(torch.zeros(heads))

    def initialise(self, generator: torch.Generator) -> None:
        """Start with logits of the size that plain attention has: sqrt(head width) times a cosine."""
        del generator
        with torch.no_grad():
            self.sharpness.fill_(math.sqrt(self.out.weight.shape[0] / self.heads))

    def forward(self, x: Float[Tensor, "batch height width channels"]) -> Float[Tensor, "batch height width channels"]:
        """Mix information between all positions."""
        batch, height, width, channels = x.shape
        positions, head_width = height * width, channels // self.heads
        normal = F.layer_norm(x, (channels,))
        packed = self.queries_keys_values(normal).reshape(batch, positions, 3, self.heads, head_width)
        queries, keys, values = packed.permute(2, 0, 3, 1, 4).unbind(0)
        scale = (self.sharpness / head_width).to(x.dtype)[:, None, None]
        queries = F.layer_norm(queries, (head_width,)) * scale
        weights = torch.softmax(queries @ F.layer_norm(keys, (head_width,)).transpose(-2, -1), dim=-1)
        mixed = (weights @ values).transpose(1, 2).reshape(batch, height, width, channels)
        return x + self.out(mixed)
