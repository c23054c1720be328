"""The encoder-decoder transformer itself: T5's blocks, with fused products, a float32 stream and products of the type that is asked for.

Decisions. Queries, keys and values of one stream are one matrix, gate and values of a feed-forward part too; names for other programs are
made on saving (``layout.py``). Gains of norms are folded into the matrix that follows. T5 does not divide scores by the root of the head
width; queries are made ``QUERY_SCALE`` times smaller on saving, a power of two, so that nothing is rounded and the optimiser moves them
like every other matrix. The last matrix of every branch starts at zero. Positions of one length share one mask, which is added once for all
layers together with the distances.

Source: Vaswani et al. 2017, arXiv 1706.03762, figure 1; Raffel et al. 2020, arXiv 1910.10683, section 2.1; Xiong et al. 2020, arXiv
2002.04745 (norms first).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.seq2seq.config import Seq2seqConfig
from makar.families.seq2seq.copying import RARELY, Copying
from makar.families.seq2seq.positions import DistanceBias
from makar.nn.dropout import dropped
from makar.nn.linear import Linear
from makar.nn.norm import rms_norm
from makar.tensor_spec import PADDING_TOKEN

QUERY_SCALE = 0.125
NEVER = float("-inf")


def heads_of(x: Float[Tensor, "batch length channels"], heads: int) -> Float[Tensor, "rows length head_width"]:
    """Return one row a text and head."""
    batch, length, channels = x.shape
    return x.view(batch, length, heads, channels // heads).transpose(1, 2).reshape(batch * heads, length, -1)


def mix(
    queries: Float[Tensor, "rows length head_width"],
    keys: Float[Tensor, "rows others head_width"],
    values: Float[Tensor, "rows others head_width"],
    *,
    added: Float[Tensor, "rows length others"],
    heads: int,
) -> Float[Tensor, "batch length width"]:
    """Return softmax(queries keys^T + added) values, the heads beside each other again."""
    scores = torch.baddbmm(added, queries, keys.transpose(1, 2))
    mixed = torch.bmm(scores.softmax(-1), values)
    rows, length, width = mixed.shape
    return mixed.view(rows // heads, heads, length, width).transpose(1, 2).reshape(rows // heads, length, -1)


class SelfAttention(nn.Module):
    """Attention of a text to itself."""

    def __init__(self, config: Seq2seqConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.projected = Linear(config.width, 3 * config.width)
        self.output = Linear(config.width, config.width)

    def forward(
        self, x: Float[Tensor, "batch length width"], gain: Float[Tensor, " width"], added: Tensor
    ) -> Float[Tensor, "batch length width"]:
        """Return what attention adds to the stream."""
        queries, keys, values = (heads_of(part, self.heads) for part in self.projected(x, gain).chunk(3, -1))
        return self.output(mix(queries * QUERY_SCALE, keys, values, added=added, heads=self.heads))


class CrossAttention(nn.Module):
    """Attention of a text that is written to one that was read."""

    def __init__(self, config: Seq2seqConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.queries = Linear(config.width, config.width)
        self.read = Linear(config.width, 2 * config.width)
        self.output = Linear(config.width, config.width)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        gain: Float[Tensor, " width"],
        states: Float[Tensor, "batch others width"],
        added: Tensor,
    ) -> Float[Tensor, "batch length width"]:
        """Return what attention adds to the stream."""
        queries = heads_of(self.queries(x, gain), self.heads) * QUERY_SCALE
        keys, values = (heads_of(part, self.heads) for part in self.read(states).chunk(2, -1))
        return self.output(mix(queries, keys, values, added=added, heads=self.heads))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: Seq2seqConfig) -> None:
        super().__init__()
        self.input = Linear(config.width, 2 * config.hidden_width)
        self.output = Linear(config.hidden_width, config.width)

    def forward(
        self, x: Float[Tensor, "batch length width"], gain: Float[Tensor, " width"]
    ) -> Float[Tensor, "batch length width"]:
        """Return what the feed-forward part adds to the stream."""
        gate, values = self.input(x, gain).chunk(2, -1)
        return self.output(functional.silu(gate) * values)


class Block(nn.Module):
    """Attention, attention to what was read where it writes, and feed-forward: each normed before and added after."""

    def __init__(self, config: Seq2seqConfig, *, writes: bool) -> None:
        super().__init__()
        self.config = config
        self.attention = SelfAttention(config)
        self.attention_gain = nn.Parameter(torch.ones(config.width))
        self.crossing = CrossAttention(config) if writes else None
        self.crossing_gain = nn.Parameter(torch.ones(config.width)) if writes else None
        self.feed_forward = FeedForward(config)
        self.feed_forward_gain = nn.Parameter(torch.ones(config.width))

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        added: Tensor,
        read: tuple[Tensor, Tensor] | None,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the stream after this block.

        Args:
            x: The stream, float32.
            added: To the scores of attention; its type is that of the products.
            read: States that were read and what is added to the scores at them, where it writes.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        epsilon, dropout, dtype = self.config.norm_epsilon, self.config.dropout, added.dtype
        normed = rms_norm(x, epsilon=epsilon, dtype=dtype)
        x = x + dropped(self.attention(normed, self.attention_gain, added), dropout, generator)
        if self.crossing is not None and self.crossing_gain is not None and read is not None:
            normed = rms_norm(x, epsilon=epsilon, dtype=dtype)
            x = x + dropped(self.crossing(normed, self.crossing_gain, *read), dropout, generator)
        normed = rms_norm(x, epsilon=epsilon, dtype=dtype)
        return x + dropped(self.feed_forward(normed, self.feed_forward_gain), dropout, generator)


class Seq2seqNetwork(nn.Module):
    """From a source and a beginning of the target to the logits of the tokens that follow.

    Args:
        config: Sizes, with the vocabulary known.
    """

    def __init__(self, config: Seq2seqConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.encoder = nn.ModuleList(Block(config, writes=False) for _ in range(config.encoder_depth))
        self.decoder = nn.ModuleList(Block(config, writes=True) for _ in range(config.decoder_depth))
        sizes = {"buckets": config.buckets, "heads": config.heads, "farthest": config.farthest}
        self.encoder_distances = DistanceBias(**sizes, both_ways=True)
        self.decoder_distances = DistanceBias(**sizes, both_ways=False)
        self.encoder_gain = nn.Parameter(torch.ones(config.width))
        self.decoder_gain = nn.Parameter(torch.ones(config.width))
        self.separate_head = None if config.tied else nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.copying = Copying(config.width) if config.copies else None

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight: branches end in zeros, other matrices keep the scale of what they multiply, distances count alike."""
        for name, parameter in self.named_parameters():
            if name.endswith("gain"):
                parameter.fill_(1.0)
            elif name.endswith(("output.weight", "table", "copying.gate")):
                parameter.zero_()
            elif name == "copying.offset":
                parameter.fill_(RARELY)
            elif name == "embeddings":
                parameter.normal_(std=1.0, generator=generator)
            elif name == "separate_head":
                parameter.normal_(std=1e-3, generator=generator)
            else:
                parameter.normal_(std=parameter.shape[1] ** -0.5, generator=generator)

    @property
    def head(self) -> Float[Tensor, "vocabulary width"]:
        """The output layer's weights with the last norm's gain, and the scale of shared embeddings, folded in."""
        if self.separate_head is not None:
            return self.separate_head * self.decoder_gain
        return self.embeddings * (self.decoder_gain * self.config.width**-0.5)

    def read(
        self,
        source: Int[Tensor, "batch length"],
        exists: Bool[Tensor, "batch length"],
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the states of a source, normed, with the last gain, in the type of the products.

        Args:
            source: Tokens, filled up at the end.
            exists: Which of them are there.
            dtype: Type of the products.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        config = self.config
        positions = torch.arange(source.shape[1], device=source.device)
        added = self._added(self.encoder_distances(positions, positions), seen(exists), dtype)
        x = dropped(functional.embedding(source, self.embeddings), config.dropout, generator)
        for block in self.encoder:
            x = block(x, added, None, generator)
        return (rms_norm(x, epsilon=config.norm_epsilon) * self.encoder_gain).to(dtype)

    def write(
        self,
        states: Float[Tensor, "batch others width"],
        exists: Bool[Tensor, "batch others"],
        begun: Int[Tensor, "batch length"],
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Return the normed stream before the output layer.

        Args:
            states: Of ``read``.
            exists: Which of them are there.
            begun: What was written so far, after the token that begins.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        config, dtype = self.config, states.dtype
        positions = torch.arange(begun.shape[1], device=begun.device)
        # Not len(begun), which is a constant in a graph that is traced for export.
        future = seen(positions <= positions[:, None]).transpose(0, 2).expand(begun.shape[0], -1, -1, -1)
        added = self._added(self.decoder_distances(positions, positions), future, dtype)
        others = seen(exists).expand(-1, config.heads, begun.shape[1], -1).to(dtype)
        read = (states, others.reshape(-1, begun.shape[1], states.shape[1]))
        x = dropped(functional.embedding(begun, self.embeddings), config.dropout, generator)
        for block in self.decoder:
            x = block(x, added, read, generator)
        return rms_norm(x, epsilon=config.norm_epsilon, dtype=dtype)

    def forward(
        self, source: Int[Tensor, "batch others"], begun: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Return the logits of the next token at every position of what was written, float32."""
        return self.logits(self.read(source, source != PADDING_TOKEN), source, begun)

    def logits(
        self,
        states: Float[Tensor, "batch others width"],
        source: Int[Tensor, "batch others"],
        begun: Int[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Return the logits of the next token, given the states of a source and its tokens."""
        exists = source != PADDING_TOKEN
        stream = self.write(states, exists, begun)
        logits = stream @ self.head.T
        if self.copying is None:
            return logits
        return self.copying.mixed(logits, stream, self.copying.keys(states), source)

    def _added(self, distances: Tensor, masked: Tensor, dtype: torch.dtype) -> Tensor:
        return (distances + masked).to(dtype).flatten(0, 1)


def seen(exists: Bool[Tensor, "batch length"]) -> Float[Tensor, "batch 1 1 length"]:
    """Return 0 for what is there and minus infinity for what is not, to be added to scores."""
    return torch.zeros(exists.shape, device=exists.device).masked_fill(~exists, NEVER)[:, None, None]
