"""A diffusion transformer: patches of an image as tokens, every block modulated and gated by time and condition.

As published: fixed sines and cosines for the place of a patch, blocks of attention and two layers with a GELU, each with a shift, a
scale and a gate that are linear in the vector of time and class and start at zero, so that every block starts as the identity (adaLN-Zero,
section 3.2). What is added: normalised queries and keys, and, with captions, attention to their tokens between the two (as in PixArt,
Chen et al. 2023, arXiv 2310.00426).

Source: Peebles and Xie 2022, arXiv 2212.09748; Vaswani et al. 2017, arXiv 1706.03762, section 3.5, for the places.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.nn.convolution import Pointwise, fold, unfold
from makar.nn.text_encoder import TextStates
from makar.nn.time_embedding import TimeEmbedding
from makar.nn.token_attention import TokenAttention

LONGEST_WAVE = 1000.0
"""The wavelengths of the places grow geometrically up to 2 pi times this, in patches."""


def place_waves(rows: int, columns: int, width: int) -> Float[Tensor, "positions width"]:
    """Return fixed sines and cosines of row and column, a quarter of the channels each (rounded down; the rest is zero).

    Args:
        rows: Patches from top to bottom.
        columns: Patches from left to right.
        width: Channels.
    """
    count = width // 4
    exponents = torch.arange(count, dtype=torch.float64) / max(1, count)
    frequencies = torch.exp(-exponents * math.log(LONGEST_WAVE))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1).double() * frequencies for place in (row, column)]
    waves = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    return F.pad(waves, (0, width - waves.shape[1])).float()


class DitBlock(nn.Module):
    """Attention, attention to a caption where there are captions, two layers; the first and the last gated.

    Args:
        width: Channels.
        heads: Number of heads.
        hidden: Channels between the two layers.
        embedding_width: Length of the vector of time and condition.
        text_width: Channels of caption tokens; 0 for no captions.
    """

    def __init__(self, width: int, heads: int, *, hidden: int, embedding_width: int, text_width: int) -> None:
        super().__init__()
        self.modulation = Pointwise(embedding_width, 6 * width, scale=0.0)
        self.attention = TokenAttention(width, heads, scale=1.0)
        self.reading = TokenAttention(width, heads, context_width=text_width) if text_width else None
        self.first = Pointwise(width, hidden)
        self.second = Pointwise(hidden, width)

    def forward(
        self,
        x: Float[Tensor, "batch positions width"],
        embedding: Float[Tensor, "batch embedding"],
        text: TextStates | None,
    ) -> Float[Tensor, "batch positions width"]:
        """Refine the tokens."""
        width = x.shape[-1]
        shift, scale, gate, last_shift, last_scale, last_gate = (
            self.modulation(embedding).to(x.dtype)[:, None].chunk(6, dim=-1)
        )
        x = x + gate * self.attention(torch.addcmul(shift, F.layer_norm(x, (width,)), 1 + scale))
        if self.reading is not None and text is not None:
            x = x + self.reading(F.layer_norm(x, (width,)), text.tokens.to(x.dtype), text.exists)
        h = self.first(torch.addcmul(last_shift, F.layer_norm(x, (width,)), 1 + last_scale))
        return x + last_gate * self.second(F.gelu(h, approximate="tanh"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DitSizes:
    """What a DiT is made of.

    Attributes:
        channels: Channels of the image.
        patch: Pixels of a side of a patch.
        rows: Patches from top to bottom.
        columns: Patches from left to right.
        width: Channels of a token.
        blocks: Number of blocks.
        expansion: Width of a block's inner layer as a multiple of its channels.
        head_width: Channels of an attention head.
        embedding_width: Length of the vector of time and condition.
        classes: Number of classes; 0 for none.
        text_width: Channels of caption tokens; 0 for no captions.
        further_channels: Channels that are seen beside those of the image and not made.
    """

    channels: int
    patch: int
    rows: int
    columns: int
    width: int
    blocks: int
    expansion: int
    head_width: int
    embedding_width: int
    classes: int
    text_width: int = 0
    further_channels: int = 0


class Dit(nn.Module):
    """From a noisy image, a time and a condition to an image of the same shape.

    Args:
        sizes: What it is made of.
    """

    places: Tensor

    def __init__(self, sizes: DitSizes) -> None:
        super().__init__()
        self.patch, self.rows, self.columns = sizes.patch, sizes.rows, sizes.columns
        self.compute_type = torch.float32
        width, embedding, text = sizes.width, sizes.embedding_width, sizes.text_width
        pixels = sizes.channels * sizes.patch**2
        self.embedding = TimeEmbedding(embedding, sizes.classes)
        self.caption_vector = Pointwise(text, embedding) if text else None
        self.enter = Pointwise(pixels + sizes.further_channels * sizes.patch**2, width)
        heads, hidden = max(1, width // sizes.head_width), sizes.expansion * width
        self.blocks = nn.ModuleList(
            DitBlock(width, heads, hidden=hidden, embedding_width=embedding, text_width=text)
            for _ in range(sizes.blocks)
        )
        self.modulation = Pointwise(embedding, 2 * width, scale=0.0)
        self.leave = Pointwise(width, pixels, scale=0.0)
        self.register_buffer("places", place_waves(sizes.rows, sizes.columns, width), persistent=False)

    def forward(
        self,
        image: Float[Tensor, "batch seen height width"],
        time: Float[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None = None,
        text: TextStates | None = None,
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the image that the network makes of a noisy one, float32.

        Args:
            image: The noisy image, of about unit variance, and after its channels those that are only seen.
            time: Position on the path, 0 (noise) to 1 (data).
            label: Class of every example, ``classes`` for none; ignored only when the network has no classes.
            text: Captions that were read; ignored only when the network has no captions.
        """
        height, width = image.shape[2:]
        extra_height, extra_width = self.rows * self.patch - height, self.columns * self.patch - width
        added = self.caption_vector(text.whole) if self.caption_vector is not None and text is not None else None
        embedding = self.embedding(time, label, added)
        x = image.to(self.compute_type).permute(0, 2, 3, 1)
        if extra_height or extra_width:
            x = F.pad(x, (0, 0, 0, extra_width, 0, extra_height))
        x = fold(x, self.patch) if self.patch > 1 else x.contiguous()
        x = self.enter(x).flatten(1, 2) + self.places.to(x.dtype)
        for block in self.blocks:
            x = block(x, embedding, text)
        shift, scale = self.modulation(embedding).to(x.dtype)[:, None].chunk(2, dim=-1)
        x = self.leave(torch.addcmul(shift, F.layer_norm(x, (x.shape[-1],)), 1 + scale))
        x = x.unflatten(1, (self.rows, self.columns))
        x = unfold(x, self.patch) if self.patch > 1 else x
        return x[:, :height, :width].permute(0, 3, 1, 2).float()
