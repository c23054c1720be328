"""Readers of a whole text: an encoder with its mean vector, and a table of short runs of tokens, which learn side by side and vote.

Each learns by its own loss, and what they say is mixed. Trained as one sum they were worse than the table alone (docs/log.md, 2026-11-29),
because the encoder learns small data by heart and the table is then told nothing more. Several encoders may vote, which is what time is
good for where the data are few (Lakshminarayanan et al. 2017, arXiv 1612.01474). How much the table counts is found on the inner
validation set when training is over.
"""

import abc
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.errors import UsageError
from makar.families.encoder.family import EncoderFamily, HeadedNetwork
from makar.families.encoder.network import PRECISIONS, EncoderNetwork, mean_of_tokens
from makar.families.encoder.reading import encoder_groups, shortened
from makar.families.encoder.voting_config import VotingConfig
from makar.families.family import Batch, Loss, ParameterGroup, Phase
from makar.nn.token_grams import TokenGrams
from makar.tensor_spec import TARGET

UNIT = "nats/text"
EVEN = 0.5
SHARES = tuple(step / 10 for step in range(11))
"""How much the table of runs may count."""


@runtime_checkable
class CutsWindows(Protocol):
    """What is needed of a codec of texts."""

    def windows(self, text: str) -> np.ndarray:
        """Return a text as rows of tokens ``[windows, length]``."""


class Reader(HeadedNetwork):
    """One encoder with its head: from tokens to numbers.

    Args:
        config: Sizes.
    """

    def __init__(self, config: VotingConfig) -> None:
        super().__init__(config, config.outputs)
        self.config: VotingConfig = config

    def forward(
        self, tokens: Int[Tensor, "batch length"], dtype: torch.dtype, generator: torch.Generator | None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the numbers; with a generator some tokens are hidden and channels dropped."""
        stream, exists = self.vectors(tokens, dtype, generator)
        said: Tensor = self.head(mean_of_tokens(stream, exists), dtype=dtype, generator=generator)
        return said


class VotingNetwork(Reader):
    """The first reader, further ones beside it, and the table of runs: from tokens to the numbers of each that votes.

    Args:
        config: Sizes.
    """

    def __init__(self, config: VotingConfig) -> None:
        super().__init__(config)
        self.further = nn.ModuleList(Reader(config) for _ in range(config.readers - 1))
        self.grams = (
            TokenGrams(rows=config.gram_rows, outputs=config.outputs, longest=config.grams, dropout=config.gram_dropout)
            if config.grams
            else None
        )

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        super().initialise(generator)
        for part in (*self.further, *([] if self.grams is None else [self.grams])):
            part.initialise(generator)

    def votes(
        self,
        tokens: Int[Tensor, "batch length"],
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> list[Tensor]:
        """Return the numbers ``[batch, outputs]`` of every reader and, where there is one, of the table, which is the last.

        Args:
            tokens: Filled up with the padding token.
            dtype: Type of the products.
            generator: Source of dropout's masks and of hidden tokens; ``None`` as outside training.
        """
        found = [self(tokens, dtype, generator), *(reader(tokens, dtype, generator) for reader in self.further)]
        if self.grams is None:
            return found
        return [*found, self.grams(tokens, tokens != self.config.padding_token, generator)]

    def mixed(self, votes: Sequence[Tensor], share: float) -> Tensor:
        """Return the mean of the readers, and of the table with its share.

        Args:
            votes: From ``votes``.
            share: How much the table counts, 0 to 1.
        """
        readers = torch.stack(list(votes[: self.config.readers])).mean(0)
        return readers if self.grams is None else (1 - share) * readers + share * votes[-1]


class VotingFamily(EncoderFamily):
    """A reader of whole texts.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    answer: ClassVar[str]
    """Slot of what is right."""

    architecture: ClassVar[str] = "ModernBertForSequenceClassification"
    config: VotingConfig
    network: VotingNetwork

    gram_share: Tensor
    """How much the table counts."""

    def __init__(self, config: VotingConfig) -> None:
        super().__init__(config, VotingNetwork(config))
        self.register_buffer("gram_share", torch.full((), EVEN if config.grams else 0.0))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        super().initialise(generator)
        self.gram_share.fill_(EVEN if self.config.grams else 0.0)

    @property
    def encoders(self) -> list[EncoderNetwork]:
        """Those of all readers."""
        return [reader.encoder for reader in (self.network, *self.network.further)]

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter learns."""
        grams = self.network.grams
        groups = encoder_groups(self.network, apart=grams)
        if grams is not None:
            groups.append(
                ParameterGroup(parameters=[grams.table], learning_rate_scale=self.config.gram_rate, weight_decay=0.0)
            )
        return [Phase(name=self.answer, groups=groups, loss=self._loss)]

    @abc.abstractmethod
    def judged(self, said: Tensor, right: Tensor, *, smoothing: float) -> Loss:
        """Return how far numbers are from what is right.

        Args:
            said: ``[batch, outputs]``.
            right: The slot ``answer``.
            smoothing: How careful to be, 0 to 1.
        """

    @property
    def smoothing(self) -> float:
        """How careful training is; not at all by default."""
        return 0.0

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        votes = self.network.votes(shortened(batch[TARGET], self.config), PRECISIONS[self.precision], generator)
        parts = [self.judged(said, batch[self.answer], smoothing=self.smoothing) for said in votes]
        # Their sum: each has weights of its own, and none must learn more slowly because there are others.
        value = torch.stack([part.value for part in parts]).sum()
        return Loss(value=value, count=parts[0].count, unit=parts[0].unit)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss of an even vote, without dropout or smoothing."""
        del generator
        with torch.no_grad():
            votes = self.network.votes(shortened(batch[TARGET], self.config), PRECISIONS[self.precision])
            return self.judged(self.network.mixed(votes, EVEN), batch[self.answer], smoothing=0.0)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Choose how the votes count by what is right of these texts; see ``choose``."""
        found = []
        with torch.no_grad():
            for batch in batches:
                found.append((self.network.votes(shortened(batch[TARGET], self.config)), batch[self.answer]))
        if found:
            votes = [torch.cat(parts) for parts in zip(*(votes for votes, _ in found), strict=True)]
            self.choose(votes, torch.cat([right for _, right in found]))

    def choose(self, votes: list[Tensor], right: Tensor) -> None:
        """Set the share of the table to the one by which the votes are nearest to what is right."""

        def cost(share: float) -> float:
            return float(self.judged(self.network.mixed(votes, share), right, smoothing=0.0).value)

        self.gram_share.fill_(min(self.shares, key=cost))

    @property
    def shares(self) -> tuple[float, ...]:
        """How much the table may count."""
        return SHARES if self.config.grams else (0.0,)

    def said(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch outputs"]:
        """Return the numbers of texts, as all that vote say them."""
        with torch.no_grad():
            return self.network.mixed(self.network.votes(shortened(tokens, self.config)), float(self.gram_share))

    def rows_of(self, text: str, codec: CutsWindows, query: str | None) -> Int[Tensor, "windows length"]:
        """Return a text as windows on the device of the model.

        Raises:
            UsageError: There is a question, or the text is empty.
        """
        if query is not None:
            raise UsageError(f"a question for a {self.config.kind}", expected="a text alone")
        if not text.strip():
            raise UsageError("an empty text", expected="at least one word")
        return torch.from_numpy(codec.windows(text)).to(self.gram_share.device)

    @property
    def is_known(self) -> bool:
        """Not where more than one encoder votes, which transformers does not know."""
        return not self.config.grams and self.config.readers == 1


def noted(windows: Any) -> dict[str, Any]:
    """Return how many windows a text was read in, where that is worth saying."""
    return {"windows": len(windows)} if len(windows) > 1 else {}
