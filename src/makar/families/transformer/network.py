"""The decoder transformer itself: embeddings, blocks of attention and feed-forward, output layer.

Decisions. Queries, keys and values are one product, and so are gate and input of SwiGLU; names for other programs are made on saving.
The residual stream is float32 and everything inside a block is of the products' type. Gains of norms are folded into the matrix that
follows. The last matrix of every branch starts at zero, so at first the network is output layer x norm x embeddings, which
``start.py`` uses (zero start: Zhang et al. 2019, arXiv 1901.09321; squared ReLU: So et al. 2021, arXiv 2109.08668;
SwiGLU: Shazeer 2020, arXiv 2002.05202; norms of queries and keys: Henry et al. 2020, arXiv 2010.04245).
"""

import functools
import operator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.fast_block import BlockShape, fast_block
from makar.families.transformer.layouts import saved_names
from makar.nn.attention import causal_attention
from makar.nn.cross_entropy import capped
from makar.nn.dropout import dropped
from makar.nn.linear import Linear
from makar.nn.norm import rms_norm
from makar.nn.recomputed import recomputed, repeatable
from makar.nn.rotary import Table, rotary_table, rotate

SHARPEST_SCORE = 12.7
"""Largest attention score before the first step. Gains of 1, 1.5 and 2 at head width 32 reached 1.850, 1.844 and 1.829 in 600 steps."""


class Attention(nn.Module):
    """Causal self-attention with rotated queries and keys, normed where the configuration says so."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.projected = Linear(config.width, (config.heads + 2 * config.shared_heads) * config.head_width)
        self.output = Linear(config.heads * config.head_width, config.width)
        self.projected_bias = nn.Parameter(torch.zeros(self.projected.weight.shape[0])) if config.biased else None
        gained = config.layout == "mainstream" and config.query_key_norm
        self.query_gain = nn.Parameter(torch.ones(config.head_width)) if gained else None
        self.key_gain = nn.Parameter(torch.ones(config.head_width)) if gained else None

    def forward(
        self, x: Float[Tensor, "batch length width"], gain: Float[Tensor, " width"] | None, table: Table
    ) -> Float[Tensor, "batch length width"]:
        """Return what attention adds to the stream."""
        config = self.config
        batch, length, _ = x.shape
        projected = self.projected(x, gain)
        if self.projected_bias is not None:
            projected = projected + self.projected_bias.to(x.dtype)
        heads = projected.view(batch, length, -1, config.head_width)
        turning = config.heads + config.shared_heads
        turned = heads[:, :, :turning].float()
        if config.query_key_norm:
            turned = rms_norm(turned, epsilon=config.norm_epsilon)
        if self.query_gain is not None and self.key_gain is not None:
            gains = (self.query_gain.expand(config.heads, -1), self.key_gain.expand(config.shared_heads, -1))
            turned = turned * torch.cat(gains)
        turned = rotate(turned.transpose(1, 2), table).to(x.dtype)
        mixed = causal_attention(
            turned[:, : config.heads],
            turned[:, config.heads :],
            heads[:, :, turning:].transpose(1, 2),
            is_learned=self.training,
        )
        return self.output(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    """Squared ReLU between two matrices (compact), or SwiGLU (mainstream)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gated = config.layout == "mainstream"
        self.input = Linear(config.width, config.hidden_width * (2 if self.gated else 1))
        self.output = Linear(config.hidden_width, config.width)

    def forward(
        self, x: Float[Tensor, "batch length width"], gain: Float[Tensor, " width"] | None
    ) -> Float[Tensor, "batch length width"]:
        """Return what the feed-forward part adds to the stream."""
        hidden = self.input(x, gain)
        if self.gated:
            gate, values = hidden.chunk(2, -1)
            return self.output(functional.silu(gate) * values)
        return self.output(functional.relu(hidden).square())


class Block(nn.Module):
    """Attention and feed-forward, each normed before and added after."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)
        gained = config.layout == "mainstream"
        self.attention_gain = nn.Parameter(torch.ones(config.width)) if gained else None
        self.feed_forward_gain = nn.Parameter(torch.ones(config.width)) if gained else None

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        table: Table,
        dtype: torch.dtype,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the stream after this block."""
        config = self.config
        # The block that is written by hand knows the shapes that are trained from nothing, not those that are brought in.
        is_plain = config.query_key_norm and not config.biased and config.heads * config.head_width == config.width
        is_plain = is_plain and isinstance(self.attention.projected, Linear)
        if is_plain and self.training and torch.is_grad_enabled() and x.device.type == "cpu":
            return self._fast(x, table, dtype, generator)
        return self._plain(x, table, dtype, generator)

    def _plain(self, x: Tensor, table: Table, dtype: torch.dtype, generator: torch.Generator | None) -> Tensor:
        epsilon, dropout = self.config.norm_epsilon, self.config.dropout
        normed = rms_norm(x, epsilon=epsilon, dtype=dtype)
        x = x + dropped(self.attention(normed, self.attention_gain, table), dropout, generator)
        normed = rms_norm(x, epsilon=epsilon, dtype=dtype)
        return x + dropped(self.feed_forward(normed, self.feed_forward_gain), dropout, generator)

    def _fast(self, x: Tensor, table: Table, dtype: torch.dtype, generator: torch.Generator | None) -> Tensor:
        config, attention, feed_forward = self.config, self.attention, self.feed_forward
        masks = None
        if generator is not None and config.dropout:
            ones = torch.ones(x[..., 0].numel(), config.width, dtype=dtype)
            masks = (dropped(ones, config.dropout, generator), dropped(ones, config.dropout, generator))
        shape = BlockShape(
            heads=config.heads,
            shared_heads=config.shared_heads,
            head_width=config.head_width,
            epsilon=config.norm_epsilon,
            dtype=dtype,
            table=table,
            masks=masks,
        )
        matrices = (
            attention.projected.weight,
            attention.output.weight,
            feed_forward.input.weight,
            feed_forward.output.weight,
        )
        gains = None
        if (
            self.attention_gain is not None
            and self.feed_forward_gain is not None
            and attention.query_gain is not None
            and attention.key_gain is not None
        ):
            gains = (self.attention_gain, self.feed_forward_gain, attention.query_gain, attention.key_gain)
        return fast_block(x, matrices, gains, shape)


class TransformerNetwork(nn.Module):
    """From tokens to logits.

    Args:
        config: Sizes and layout, with the vocabulary known.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.final_gain = nn.Parameter(torch.ones(config.width)) if config.layout == "mainstream" else None
        self.separate_head = None if config.tied else nn.Parameter(torch.empty(config.vocabulary, config.width))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight: branches end in zeros, other matrices keep the scale of what they multiply."""
        for name, parameter in self.named_parameters():
            if name.endswith(("query_gain", "key_gain")):
                # At 1 a normed query and key of width d score sqrt(d) at most, which is too blunt to single out one position.
                parameter.fill_(max(1.0, (SHARPEST_SCORE / self.config.head_width**0.5) ** 0.5))
            elif name.endswith("gain"):
                parameter.fill_(1.0)
            elif name.endswith(("output.weight", "bias")):
                parameter.zero_()
            elif name == "embeddings":
                parameter.normal_(std=self.config.width**-0.5 if self.config.tied else 0.8, generator=generator)
            elif name == "separate_head":
                parameter.normal_(std=1e-3, generator=generator)
            else:
                parameter.normal_(std=parameter.shape[1] ** -0.5, generator=generator)

    def saved_tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of Qwen3ForCausalLM or NanoChatForCausalLM."""
        saved: dict[str, Tensor] = {}
        for name, parts in saved_names(self.config):
            # Of a layer with a change the whole weight, of one that is frozen a buffer.
            pieces = operator.attrgetter(name)(self).detach().split([rows for _, rows in parts])
            saved |= {part: piece.contiguous() for (part, _), piece in zip(parts, pieces, strict=True)}
        return saved

    @property
    def head(self) -> Float[Tensor, "vocabulary width"]:
        """The output layer's weights with the last norm's gain folded in."""
        weight = self.embeddings if self.separate_head is None else self.separate_head
        return weight if self.final_gain is None else weight * self.final_gain

    @property
    def logit_cap(self) -> float:
        """Soft limit of the logits; 0 is none."""
        return self.config.logit_cap if self.config.layout == "compact" else 0.0

    def stream(
        self,
        tokens: Int[Tensor, "batch length"],
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the normed stream before the output layer.

        Args:
            tokens: Tokens of each text.
            dtype: Type of the products.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        x = functional.embedding(tokens, self.embeddings)
        if self.config.layout == "compact":
            x = rms_norm(x, epsilon=self.config.norm_epsilon)
        return self.stream_of(x, dtype=dtype, generator=generator)

    def stream_of(
        self,
        vectors: Float[Tensor, "batch length width"],
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the normed stream before the output layer, for what enters in the place of embeddings.

        Args:
            vectors: What enters the first block, float32.
            dtype: Type of the products.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        config = self.config
        positions = torch.arange(vectors.shape[1], device=vectors.device)
        clockwise = config.layout == "compact"
        table = rotary_table(
            positions,
            head_width=config.head_width,
            base=config.rotary_base,
            clockwise=clockwise,
            scaling=config.rotary_scaling,
        )
        x = dropped(vectors, config.dropout, generator)
        keeps_all = not (config.recompute and self.training and torch.is_grad_enabled())
        for block in self.blocks:
            if keeps_all:
                x = block(x, table, dtype, generator)
            else:
                inside = repeatable(functools.partial(_passed, block, table, dtype), generator)
                x = recomputed(inside, x, block.parameters())
        return rms_norm(x, epsilon=config.norm_epsilon, dtype=dtype)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length vocabulary"]:
        """Return the logits of the next token at every position, float32."""
        return capped(self.stream(tokens) @ self.head.T, self.logit_cap)


def _passed(block: nn.Module, table: Table, dtype: torch.dtype, x: Tensor, generator: torch.Generator | None) -> Tensor:
    result: Tensor = block(x, table, dtype, generator)
    return result
