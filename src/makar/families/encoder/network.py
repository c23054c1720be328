"""The encoder: every token of a text sees every other, forwards and backwards.

Blocks of attention and of a gated GELU, each normed before it computes and added to the stream; the vectors of the tokens are normed
first, so the first block's attention needs no norm. Layers have no constants. Weights stay in float32 and products run in ``dtype``.

Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1; Warner et al. 2024, arXiv 2412.13663, section 2.1 (layout of ModernBERT).
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.encoder.config import EncoderConfig
from makar.nn.dropout import dropped
from makar.nn.linear import Linear
from makar.nn.rotary import Table, rotary_table, rotate

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TOKEN_DEVIATION = 0.1
"""Spread of the vectors of the tokens at the start; they are normed at once, so it sets how fast they turn."""


class EncoderBlock(nn.Module):
    """Attention to the whole text, then a gated layer.

    Args:
        config: Sizes.
        is_first: Whether its input is normed already.
    """

    def __init__(self, config: EncoderConfig, *, is_first: bool) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.width, config.hidden_width
        self.attention_gain = None if is_first else nn.Parameter(torch.ones(width))
        self.projected = Linear(width, 3 * width)
        self.output = Linear(width, width)
        self.feed_forward_gain = nn.Parameter(torch.ones(width))
        self.inner = Linear(width, 2 * hidden)
        self.outer = Linear(hidden, width)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        hidden: Float[Tensor, "batch 1 1 length"],
        table: Table,
        dtype: torch.dtype,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the stream after the block.

        Args:
            x: The stream, float32.
            hidden: Minus infinity where there is no token, 0 elsewhere.
            table: Of the rotary positions.
            dtype: Type of the products.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        config = self.config
        normed = x if self.attention_gain is None else self._normed(x, self.attention_gain)
        x = x + dropped(self._mixed(normed.to(dtype), hidden, table).float(), config.dropout, generator)
        entered, gate = self.inner(self._normed(x, self.feed_forward_gain).to(dtype)).chunk(2, dim=-1)
        return x + dropped(self.outer(functional.gelu(entered) * gate).float(), config.dropout, generator)

    def _normed(self, x: Tensor, gain: Tensor) -> Tensor:
        return functional.layer_norm(x, (x.shape[-1],), gain, None, self.config.norm_epsilon)

    def _mixed(self, x: Tensor, hidden: Tensor, table: Table) -> Tensor:
        batch, length, width = x.shape
        heads = self.config.heads
        packed = self.projected(x).view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        queries, keys = (rotate(part.float(), table).to(x.dtype) for part in packed[:2].unbind(0))
        # Written out: on a CPU the fused kernel is slower to train with (``makar.nn.attention``).
        scores = (queries * (width // heads) ** -0.5) @ keys.transpose(-2, -1)
        weights = torch.softmax(scores.float() + hidden, dim=-1).to(x.dtype)
        return self.output((weights @ packed[2]).transpose(1, 2).reshape(batch, length, width))


class EncoderNetwork(nn.Module):
    """From tokens to one vector a token.

    Args:
        config: Sizes.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = nn.Parameter(torch.zeros(config.rows, config.width))
        self.embedding_gain = nn.Parameter(torch.ones(config.width))
        self.blocks = nn.ModuleList(EncoderBlock(config, is_first=index == 0) for index in range(config.depth))
        self.final_gain = nn.Parameter(torch.ones(config.width))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; blocks begin as no change."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim < 2:
                    parameter.fill_(1.0)
                    continue
                closing = name.endswith(("output.weight", "outer.weight"))
                deviation = (
                    TOKEN_DEVIATION if name == "embeddings" else 0.0 if closing else 1 / math.sqrt(parameter.shape[1])
                )
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation)

    def forward(
        self,
        tokens: Int[Tensor, "batch length"],
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
        added: Float[Tensor, "batch length width"] | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Read texts.

        Args:
            tokens: Filled up with the padding token; each text has one token at least.
            dtype: Type of the products.
            added: What is known of tokens besides what they are, added to their vectors; ``None`` for nothing.
            generator: Source of dropout's masks; ``None`` drops nothing.

        Returns:
            The normed stream, float32; what stands at padding means nothing.
        """
        config = self.config
        exists = tokens != config.padding_token
        hidden = torch.zeros(exists.shape, device=tokens.device).masked_fill(~exists, float("-inf"))[:, None, None]
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        table = rotary_table(positions, head_width=config.width // config.heads, base=config.rotary_base)
        x = functional.embedding(tokens, self.embeddings)
        x = functional.layer_norm(x, (config.width,), self.embedding_gain, None, config.norm_epsilon)
        x = dropped(x if added is None else x + added, config.dropout, generator)
        for block in self.blocks:
            x = block(x, hidden, table, dtype, generator)
        return functional.layer_norm(x, (config.width,), self.final_gain, None, config.norm_epsilon)


class ReadingHead(nn.Module):
    """From vectors to ``outputs`` numbers each: a layer, a GELU, a norm, and a layer with constants.

    Args:
        config: Sizes of the encoder.
        outputs: Numbers a vector; 0 stops after the norm.
    """

    def __init__(self, config: EncoderConfig, outputs: int) -> None:
        super().__init__()
        self.config = config
        self.dense = Linear(config.width, config.width)
        self.gain = nn.Parameter(torch.ones(config.width))
        self.classifier = Linear(config.width, outputs) if outputs else None
        self.constants = nn.Parameter(torch.zeros(outputs)) if outputs else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the first layer; the last begins at zero, so that nothing is said before something is learned."""
        with torch.no_grad():
            weight = self.dense.weight
            weight.copy_(torch.randn(weight.shape, generator=generator) / math.sqrt(weight.shape[1]))
            self.gain.fill_(1.0)
            for zero in (self.constants, None if self.classifier is None else self.classifier.weight):
                if zero is not None:
                    zero.zero_()

    def transformed(self, x: Float[Tensor, "*batch width"], dtype: torch.dtype) -> Float[Tensor, "*batch width"]:
        """Return what stands before the last layer, float32."""
        made = functional.gelu(self.dense(x.to(dtype))).float()
        return functional.layer_norm(made, (made.shape[-1],), self.gain, None, self.config.norm_epsilon)

    def forward(
        self,
        x: Float[Tensor, "*batch width"],
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "*batch outputs"]:
        """Return the numbers, float32."""
        assert self.classifier is not None and self.constants is not None, "a head without outputs only transforms"
        made = dropped(self.transformed(x, dtype), self.config.dropout, generator)
        return self.classifier(made.to(dtype)).float() + self.constants


def mean_of_tokens(
    x: Float[Tensor, "batch length width"], exists: Bool[Tensor, "batch length"]
) -> Float[Tensor, "batch width"]:
    """Return the mean vector of the tokens that are there."""
    there = exists[..., None].to(x.dtype)
    return (x * there).sum(1) / there.sum(1).clamp(min=1)
