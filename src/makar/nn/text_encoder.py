"""A small transformer that reads a caption in both directions: one vector a token, for attention, and one for the whole.

Decisions: it is trained together with what it steers, because frozen encoders of other people's data are not at hand; learned positions, as
captions are short; the whole is the mean over the tokens that are there, so that padding never matters. Blocks norm before they
compute (Xiong et al. 2020, arXiv 2002.04745).
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.nn.convolution import Pointwise
from makar.nn.token_attention import TokenAttention

EXPANSION = 4
"""Width of a block's inner layer in widths."""

TOKEN_DEVIATION = 0.5
"""Spread of the vectors of tokens and positions at the start; the norm of the first block makes it one."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TextStates:
    """What was read.

    Attributes:
        tokens: One vector a token ``[batch, length, width]``.
        exists: Which tokens are there and not padding ``[batch, length]``.
        whole: One vector a caption ``[batch, width]``.
    """

    tokens: Float[Tensor, "batch length width"]
    exists: Bool[Tensor, "batch length"]
    whole: Float[Tensor, "batch width"]


class TextBlock(nn.Module):
    """Attention to the whole caption, then two layers with a GELU between.

    Args:
        width: Channels.
        heads: Number of heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = TokenAttention(width, heads)
        self.first = Pointwise(width, EXPANSION * width)
        self.second = Pointwise(EXPANSION * width, width, scale=0.0)

    def forward(
        self, x: Float[Tensor, "batch length width"], exists: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Refine the tokens."""
        width = x.shape[-1]
        x = x + self.attention(F.layer_norm(x, (width,)), None, exists)
        return x + self.second(F.gelu(self.first(F.layer_norm(x, (width,)))))


class TextEncoder(nn.Module):
    """From caption tokens to vectors.

    Args:
        vocabulary: Number of tokens.
        length: Tokens of the longest caption.
        width: Channels.
        layers: Number of blocks; 0 is a bag of words with positions.
        heads: Number of heads; divides ``width``.
        padding: The token that stands for nothing.
    """

    def __init__(self, *, vocabulary: int, length: int, width: int, layers: int, heads: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.compute_type = torch.float32
        self.token_vectors = nn.Parameter(torch.zeros(vocabulary, width))
        self.positions = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList(TextBlock(width, heads) for _ in range(layers))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the vectors of tokens and positions; the layers draw themselves."""
        with torch.no_grad():
            for vectors in (self.token_vectors, self.positions):
                vectors.copy_(TOKEN_DEVIATION * torch.randn(vectors.shape, generator=generator).to(vectors.device))

    def forward(self, tokens: Int[Tensor, "batch length"]) -> TextStates:
        """Read captions.

        Args:
            tokens: int64, padded at the end; no longer than the longest caption, and each with one token at least.
        """
        exists = tokens != self.padding
        x = (self.token_vectors[tokens] + self.positions[: tokens.shape[1]]).to(self.compute_type)
        for block in self.blocks:
            x = block(x, exists)
        x = F.layer_norm(x, (x.shape[-1],))
        there = exists[..., None].to(x.dtype)
        whole = (x * there).sum(1) / there.sum(1).clamp(min=1)
        return TextStates(tokens=x, exists=exists, whole=whole.float())
