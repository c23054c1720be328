"""A small transformer that reads a caption in both directions: one vector a token, for attention, and one for the whole.

Decisions: it is trained together with what it steers, because frozen encoders of other people's data are not at hand; learned positions,
small at the start, as captions are short; blocks norm before they compute (Xiong et al. 2020, arXiv 2002.04745). The whole is a sum over
the tokens that are there, divided by the root of their number: of what the blocks make of them *and of the bare vectors of the words*. In
a mean the one word that tells two captions apart drowns in those that they share, and blocks that are still learning are noise on top.
Measured on 16 x 16 digits ("the handwritten digit three"), 250 steps of 16, as what shuffled captions add to the held-out loss: classes
0.075, mean after two blocks 0.002, the same normed 0.000, root of the number 0.003, without blocks 0.042, with bare words beside
them 0.045, and with a quarter of the learning rate for the blocks 0.061.
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

TOKEN_DEVIATION, POSITION_DEVIATION = 1.0, 0.1
"""Spread of the vectors of tokens and of positions at the start: where a word stands matters less than which it is."""


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
            for vectors, deviation in ((self.token_vectors, TOKEN_DEVIATION), (self.positions, POSITION_DEVIATION)):
                vectors.copy_(deviation * torch.randn(vectors.shape, generator=generator).to(vectors.device))

    def forward(self, tokens: Int[Tensor, "batch length"]) -> TextStates:
        """Read captions.

        Args:
            tokens: int64, padded at the end; no longer than the longest caption, and each with one token at least.
        """
        exists = tokens != self.padding
        words = self.token_vectors[tokens]
        x = (words + self.positions[: tokens.shape[1]]).to(self.compute_type)
        for block in self.blocks:
            x = block(x, exists)
        x = F.layer_norm(x, (x.shape[-1],))
        there = exists[..., None].float()
        whole = ((x.float() + words) * there).sum(1) * there.sum(1).clamp(min=1).rsqrt()
        return TextStates(tokens=x, exists=exists, whole=whole)
