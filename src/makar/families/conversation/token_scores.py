"""What a network, ours or one of others, says of the tokens of rows: its stream, the surprise at some of them, log-probabilities.

Objectives are written over these three and know nothing else of the network, so answers, preferences and rewards are learned over a decoder
of ours and over any checkpoint of transformers alike.
"""

import abc
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from makar.families.pretrained.text_family import CausalCheckpoint
from makar.families.transformer.family import PRECISIONS, TransformerFamily
from makar.nn.cross_entropy import PIECE_LOGITS, capped, linear_cross_entropy

Writer = TransformerFamily | CausalCheckpoint


class TokenScores(abc.ABC):
    """Asks a network about rows of tokens."""

    @property
    @abc.abstractmethod
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def gain(self) -> Tensor | None:
        """Gains of the last norm ``[width]``, where the stream comes without them."""
        return None

    @abc.abstractmethod
    def stream(
        self, tokens: Int[Tensor, "batch length"], generator: torch.Generator | None
    ) -> Float[Tensor, "batch length width"]:
        """Return the stream before the output layer.

        Args:
            tokens: Rows, filled up at their ends.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """

    @abc.abstractmethod
    def surprise(
        self,
        tokens: Int[Tensor, "batch length"],
        learned: Int[Tensor, "batch length"],
        generator: torch.Generator | None,
    ) -> tuple[Float[Tensor, ""], int]:
        """Return the mean surprise at the learned tokens of rows, nats a token, and their number; 0 where there are none.

        Args:
            tokens: Rows, filled up at their ends.
            learned: 1 where a token counts.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """

    @abc.abstractmethod
    def pieces(
        self,
        tokens: Int[Tensor, "batch length"],
        counted: Bool[Tensor, "batch length"],
        generator: torch.Generator | None,
    ) -> Iterator[Float[Tensor, "_ vocabulary"]]:
        """Yield the logits after the counted tokens of rows, in their order, a piece at a time; without gradients few exist at once.

        Args:
            tokens: Rows, filled up at their ends.
            counted: Which tokens to say what follows of.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """

    def log_probabilities(
        self,
        tokens: Int[Tensor, "batch length"],
        learned: Int[Tensor, "batch length"],
        generator: torch.Generator | None = None,
        *,
        temperature: float = 1.0,
    ) -> Float[Tensor, "batch length_less_one"]:
        """Return the log-probability of every learned token after the first, 0 elsewhere.

        Args:
            tokens: Rows, filled up at their ends.
            learned: 1 where a token counts.
            generator: Source of dropout's masks; ``None`` drops nothing.
            temperature: What the logits are divided by, as where tokens are drawn.
        """
        counted = learned[:, 1:] > 0
        targets, found, done = tokens[:, 1:][counted], [], 0
        for logits in self.pieces(tokens[:, :-1], counted, generator):
            found.append(_of_targets(logits, targets[done : done + len(logits)], temperature))
            done += len(logits)
        return torch.zeros(counted.shape, device=tokens.device).masked_scatter(counted, torch.cat(found))


class OwnScores(TokenScores):
    """Asks a decoder of ours.

    Args:
        writer: The decoder.
    """

    def __init__(self, writer: TransformerFamily) -> None:
        self._writer = writer

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._writer.network.embeddings.device

    @property
    def gain(self) -> Tensor | None:
        """Gains of the last norm, which stand in the output layer."""
        return self._writer.network.final_gain

    def stream(
        self, tokens: Int[Tensor, "batch length"], generator: torch.Generator | None
    ) -> Float[Tensor, "batch length width"]:
        """Return the normed stream after the last block."""
        dtype = PRECISIONS[self._writer.precision]
        return self._writer.network.stream(tokens, dtype=dtype, generator=generator)

    def surprise(
        self,
        tokens: Int[Tensor, "batch length"],
        learned: Int[Tensor, "batch length"],
        generator: torch.Generator | None,
    ) -> tuple[Float[Tensor, ""], int]:
        """Return the mean surprise at learned tokens; the logits of a piece exist at a time."""
        stream, network = self.stream(tokens[:, :-1], generator), self._writer.network
        counted = learned[:, 1:] > 0
        if not counted.any():
            return stream.sum() * 0.0 + network.head.sum() * 0.0, 0
        targets = tokens[:, 1:][counted]
        return linear_cross_entropy(stream[counted], network.head, targets, cap=network.logit_cap), len(targets)

    def pieces(
        self,
        tokens: Int[Tensor, "batch length"],
        counted: Bool[Tensor, "batch length"],
        generator: torch.Generator | None,
    ) -> Iterator[Float[Tensor, "_ vocabulary"]]:
        """Yield the logits, in pieces where there are no gradients."""
        network, stream = self._writer.network, self.stream(tokens, generator)[counted]
        rows = len(stream) if torch.is_grad_enabled() else PIECE_LOGITS // len(network.head)
        cast = network.head.to(stream.dtype)
        for part in stream.split(max(1, rows)):
            yield capped((part @ cast.T).float(), network.logit_cap)


class CheckpointScores(TokenScores):
    """Asks a checkpoint of others, which drops nothing while it learns.

    Args:
        writer: The checkpoint.
    """

    def __init__(self, writer: CausalCheckpoint) -> None:
        self._writer = writer

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = self._writer.network.device
        return found

    def stream(
        self, tokens: Int[Tensor, "batch length"], generator: torch.Generator | None
    ) -> Float[Tensor, "batch length width"]:
        """Return the stream as the heads of transformers read it."""
        del generator
        return self._writer.stream(tokens)

    def surprise(
        self,
        tokens: Int[Tensor, "batch length"],
        learned: Int[Tensor, "batch length"],
        generator: torch.Generator | None,
    ) -> tuple[Float[Tensor, ""], int]:
        """Return the mean surprise at learned tokens, of whose places alone there are logits."""
        del generator
        counted = learned[:, 1:] > 0
        logits, targets = self._writer.logits_at(tokens[:, :-1], counted), tokens[:, 1:][counted]
        if not len(targets):
            return logits.sum() * 0.0, 0
        return functional.cross_entropy(logits, targets), len(targets)

    def pieces(
        self,
        tokens: Int[Tensor, "batch length"],
        counted: Bool[Tensor, "batch length"],
        generator: torch.Generator | None,
    ) -> Iterator[Float[Tensor, "_ vocabulary"]]:
        """Yield all logits at once."""
        del generator
        yield self._writer.logits_at(tokens, counted)


def scores_of(writer: Writer) -> TokenScores:
    """Return who is asked about the tokens of a network."""
    return CheckpointScores(writer) if isinstance(writer, CausalCheckpoint) else OwnScores(writer)


def _of_targets(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    # Division by 1 would be one more copy of the largest tensor there is.
    logits = logits if temperature == 1.0 else logits / temperature
    return -functional.cross_entropy(logits, targets, reduction="none")
