"""Writing one token after another with what is computed once kept: keys and values of the source, and of what was written.

Weights are packed once: gains and the scale of the queries folded in. A block holds several examples, each with as many rows as there are
beginnings; the keys and values of a source are shared by all rows of its example. Sources of different lengths are filled up and masked.
"""

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from makar.families.seq2seq.network import QUERY_SCALE, Seq2seqNetwork, seen
from makar.nn.norm import rms_norm
from makar.tensor_spec import PADDING_TOKEN

CACHE_STEP = 32
"""Positions that a cache grows by."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Layer:
    """The matrices of one block that writes, inputs first, so that products need no transposition."""

    attend: Tensor
    attend_out: Tensor
    ask: Tensor
    read: Tensor
    read_out: Tensor
    expand: Tensor
    contract: Tensor


class Writer:
    """The decoder of a network, ready to write.

    Args:
        network: The network; its weights are copied.
    """

    def __init__(self, network: Seq2seqNetwork) -> None:
        self.network = network
        self.config = network.config
        width = self.config.width
        scale = torch.ones(3 * width, 1, device=network.embeddings.device)
        scale[:width] = QUERY_SCALE
        self.head = network.head.detach().T.contiguous()
        self.copying = network.copying
        self.layers = []
        for block in network.decoder:
            get = block.get_parameter
            folded = {
                "attend": get("attention.projected.weight") * get("attention_gain") * scale,
                "attend_out": get("attention.output.weight"),
                "ask": get("crossing.queries.weight") * get("crossing_gain") * QUERY_SCALE,
                "read": get("crossing.read.weight"),
                "read_out": get("crossing.output.weight"),
                "expand": get("feed_forward.input.weight") * get("feed_forward_gain"),
                "contract": get("feed_forward.output.weight"),
            }
            self.layers.append(_Layer(**{name: matrix.detach().T.contiguous() for name, matrix in folded.items()}))

    def begin(self, sources: list[Int[Tensor, " _"]], *, beginnings: int) -> "Block":
        """Read sources and return a block that writes of each.

        Args:
            sources: Tokens of each, its end included; none is empty.
            beginnings: Rows of each example.
        """
        device = self.network.embeddings.device
        tokens = torch.nn.utils.rnn.pad_sequence(sources, batch_first=True, padding_value=PADDING_TOKEN).to(device)
        exists = tokens != PADDING_TOKEN
        return Block(self, self.network.read(tokens, exists), tokens, beginnings)


class Block:
    """Examples that are written at the same time.

    Args:
        writer: The decoder.
        states: What was read.
        source: The tokens of it, filled up at the end.
        beginnings: Rows of each example.
    """

    def __init__(
        self,
        writer: Writer,
        states: Float[Tensor, "examples others width"],
        source: Int[Tensor, "examples others"],
        beginnings: int,
    ) -> None:
        self._writer = writer
        self._beginnings = beginnings
        self._source = source
        self._masked = seen(source != PADDING_TOKEN)
        self._copied = None if writer.copying is None else writer.copying.keys(states)
        heads, width = writer.config.heads, writer.config.width
        examples, others = source.shape
        self._sources = []
        for layer in writer.layers:
            both = (states @ layer.read).view(examples, others, 2, heads, width // heads)
            keys, values = both.permute(2, 0, 3, 1, 4)
            self._sources.append((keys.transpose(2, 3).contiguous(), values.contiguous()))
        self._length = 0
        rows = examples * beginnings
        empty = states.new_zeros(2, rows, heads, CACHE_STEP, width // heads)
        self._written = [empty.clone() for _ in writer.layers]
        self._distances = self._distance_rows(CACHE_STEP)

    def step(self, tokens: Int[Tensor, " rows"]) -> Float[Tensor, "rows vocabulary"]:
        """Append one token to each row and return the logits of the next."""
        writer, config = self._writer, self._writer.config
        rows, heads, head_width = len(tokens), config.heads, config.head_width
        examples = rows // self._beginnings
        if self._length == self._written[0].shape[3]:
            self._grow()
        place, end = self._length, self._length + 1
        added = self._distances[place, :, None, :end]
        x = functional.embedding(tokens, writer.network.embeddings)
        for layer, (keys, values), written in zip(writer.layers, self._sources, self._written):
            normed = rms_norm(x, epsilon=config.norm_epsilon)
            both = (normed @ layer.attend).view(rows, 3, heads, head_width)
            written[:, :, :, place] = both[:, 1:].transpose(0, 1)
            scores = both[:, 0, :, None] @ written[0, :, :, :end].transpose(2, 3) + added
            mixed = scores.softmax(-1) @ written[1, :, :, :end]
            x = x + mixed.reshape(rows, -1) @ layer.attend_out
            normed = rms_norm(x, epsilon=config.norm_epsilon)
            asked = (normed @ layer.ask).view(examples, self._beginnings, heads, head_width).transpose(1, 2)
            mixed = (asked @ keys + self._masked).softmax(-1) @ values
            x = x + mixed.transpose(1, 2).reshape(rows, -1) @ layer.read_out
            normed = rms_norm(x, epsilon=config.norm_epsilon)
            gate, plain = (normed @ layer.expand).chunk(2, -1)
            x = x + (functional.silu(gate) * plain) @ layer.contract
        self._length = end
        stream = rms_norm(x, epsilon=config.norm_epsilon)
        logits = stream @ writer.head
        if writer.copying is None or self._copied is None:
            return logits
        # The rows of an example are positions that look at the same source.
        by_example = (examples, self._beginnings, -1)
        mixed = writer.copying.mixed(
            logits.view(by_example),
            stream.view(by_example),
            self._copied,
            self._source,
        )
        return mixed.flatten(0, 1)

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Let each row go on from what another one of its example has written."""
        if not torch.equal(rows, torch.arange(len(rows), device=rows.device)):
            self._written = [written.index_select(1, rows) for written in self._written]

    def keep(self, examples: list[int]) -> None:
        """Go on with some of the examples, in this order."""
        device = self._masked.device
        chosen = torch.tensor(examples, device=device)
        rows = (chosen[:, None] * self._beginnings + torch.arange(self._beginnings, device=device)).flatten()
        self._masked, self._source = self._masked[chosen], self._source[chosen]
        if self._copied is not None:
            self._copied = self._copied[chosen]
        self._sources = [(keys[chosen], values[chosen]) for keys, values in self._sources]
        self._written = [written.index_select(1, rows) for written in self._written]

    def _grow(self) -> None:
        more = (0, 0, 0, CACHE_STEP)
        self._written = [functional.pad(written, more) for written in self._written]
        self._distances = self._distance_rows(self._written[0].shape[3])

    def _distance_rows(self, length: int) -> Float[Tensor, "queries heads keys"]:
        positions = torch.arange(length, device=self._masked.device)
        return self._writer.network.decoder_distances(positions, positions).transpose(0, 1)
