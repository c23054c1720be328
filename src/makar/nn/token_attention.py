"""Attention of tokens to tokens, their own or others, in both directions, with normalised queries and keys and a mask of what exists.

It takes what it is given and returns what is to be added; the caller norms, gates and adds. Normalised queries and keys (Henry et al.
2020, arXiv 2010.04245) keep the logits bounded. The product is written out, as in ``spatial_attention``: there are few tokens.

Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from makar.nn.convolution import Pointwise


class TokenAttention(nn.Module):
    """Multi-head attention.

    Args:
        width: Channels of the tokens that ask.
        heads: Number of heads; divides ``width``.
        context_width: Channels of the tokens that are looked at, where they are others.
        scale: Factor on the initial weights of the last layer; 0 starts as no change.
    """

    def __init__(self, width: int, heads: int, *, context_width: int = 0, scale: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.queries = Pointwise(width, width, bias=False)
        self.keys_values = Pointwise(context_width or width, 2 * width, bias=False)
        self.out = Pointwise(width, width, scale=scale)
        self.sharpness = nn.Parameter(torch.zeros(heads))

    def initialise(self, generator: torch.Generator) -> None:
        """Start with logits of the size that plain attention has: sqrt(head width) times a cosine."""
        del generator
        with torch.no_grad():
            self.sharpness.fill_(math.sqrt(self.out.weight.shape[0] / self.heads))

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        context: Float[Tensor, "batch others context_width"] | None = None,
        exists: Bool[Tensor, "batch others"] | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Return what every token takes from the tokens it looks at.

        Args:
            x: The tokens that ask.
            context: The tokens that are looked at; ``None`` for those that ask.
            exists: Which of them are there; ``None`` for all. Each example needs one at least.
        """
        batch, length, width = x.shape
        head_width = width // self.heads
        scale = (self.sharpness / head_width).to(x.dtype)[:, None, None]
        queries = self.queries(x).reshape(batch, length, self.heads, head_width).transpose(1, 2)
        packed = self.keys_values(x if context is None else context)
        keys, values = (
            packed.reshape(batch, packed.shape[1], 2, self.heads, head_width).permute(2, 0, 3, 1, 4).unbind(0)
        )
        queries = F.layer_norm(queries, (head_width,)) * scale
        logits = queries @ F.layer_norm(keys, (head_width,)).transpose(-2, -1)
        if exists is not None:
            logits = logits.masked_fill(~exists[:, None, None], float("-inf"))
        mixed = torch.softmax(logits, dim=-1) @ values
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))
