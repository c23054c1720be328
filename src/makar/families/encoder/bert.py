"""Learns from text alone: some tokens are hidden and have to be found from those on both sides.

Of the chosen tokens eight in ten are hidden, one is another token, one stays as it is, so that what is read later, without a hidden token
in it, looks familiar (Devlin et al. 2018, arXiv 1810.04805, section 3.1). Three in ten are chosen and not 15 in a hundred (Wettig et al.
2022, arXiv 2202.08005; ModernBERT does the same). The loss is the mean surprise at the chosen tokens; the vectors of the tokens are the
last layer too. Saved so that transformers opens it as ModernBertForMaskedLM.
"""

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from makar.errors import UsageError
from makar.families.encoder.bert_config import BertConfig
from makar.families.encoder.family import EncoderFamily, HeadedNetwork
from makar.families.encoder.layouts import MASK_NAME
from makar.families.encoder.network import PRECISIONS
from makar.families.encoder.reading import encoder_groups
from makar.families.family import Batch, Loss, Phase
from makar.nn.cross_entropy import linear_cross_entropy
from makar.tensor_spec import TARGET

UNIT = "nats/token"
HIDDEN_SHARE, OTHER_SHARE = 0.8, 0.1
"""Of the chosen tokens: how many are hidden, how many are another token; the rest stays."""

SHOWN_WORDS = 5
TOGETHER = 32
"""Texts with a hidden token each that are read in one batch."""

WORDS_FOR_MASK = (MASK_NAME, "[MASK]")
"""What stands for a hidden word in a text."""


@runtime_checkable
class ReadsPlainText(Protocol):
    """What is needed of a codec of text."""

    def encode_text(self, text: str) -> np.ndarray:
        """Return tokens ``[length]``."""

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``."""

    def encode_places(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return tokens, and where the characters of each begin and end."""


class BertNetwork(HeadedNetwork):
    """From tokens to the logits of each.

    Args:
        config: Sizes.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, 0)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length rows"]:
        """Return the logits of every token at every place, float32."""
        made: Tensor = self.head.transformed(self.encoder(tokens), torch.float32)
        return made @ self.encoder.embeddings.T


class BertFamily(EncoderFamily):
    """An encoder of text that finds hidden words.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    architecture: ClassVar[str] = "ModernBertForMaskedLM"
    config: BertConfig
    network: BertNetwork

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, BertNetwork(config))

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at chosen tokens."""
        return [Phase(name="masked", groups=encoder_groups(self.network), loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return self._surprise(batch, generator, dropout=generator)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at tokens that the generator chooses, without dropout."""
        with torch.no_grad():
            return self._surprise(batch, generator, dropout=None)

    def _surprise(self, batch: Batch, generator: torch.Generator, *, dropout: torch.Generator | None) -> Loss:
        tokens = batch[TARGET][:, : self.config.length]
        read, chosen = self.hidden(tokens, generator)
        dtype = PRECISIONS[self.precision]
        stream = self.network.encoder(read, dtype=dtype, generator=dropout)[chosen]
        made = self.network.head.transformed(stream, dtype).to(dtype)
        value = linear_cross_entropy(made, self.network.encoder.embeddings, tokens[chosen])
        return Loss(value=value, count=int(chosen.sum()), unit=UNIT)

    def hidden(
        self, tokens: Int[Tensor, "batch length"], generator: torch.Generator
    ) -> tuple[Int[Tensor, "batch length"], Bool[Tensor, "batch length"]]:
        """Return texts with some tokens hidden or changed, and which were chosen; one of each batch at least."""
        config = self.config
        draws = torch.rand(tokens.shape, generator=generator).to(tokens.device)
        chosen = (draws < config.mask_share) | (draws == draws.min())
        part = draws / config.mask_share
        others = torch.randint(config.vocabulary, tokens.shape, generator=generator).to(tokens.device)
        read = torch.where(chosen & (part < HIDDEN_SHARE + OTHER_SHARE), others, tokens)
        return torch.where(chosen & (part < HIDDEN_SHARE), config.mask_token, read), chosen

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``tokens``: the likeliest at every place, int64 ``[batch, length]``."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        with torch.no_grad():
            logits = self.network(batch[TARGET][:, : self.config.length])
        return {"tokens": logits[..., : self.config.vocabulary].argmax(-1).cpu().numpy()}

    def read_text(self, text: str, codec: ReadsPlainText, *, query: str | None) -> dict[str, Any]:
        """Return the likeliest tokens for every hidden word of a text, each with its probability.

        Args:
            text: The text, with ``<|mask|>`` or ``[MASK]`` where a word is to be found.
            codec: The codec of the model.
            query: Must be ``None``: it answers no question.

        Raises:
            UsageError: There is a question, no hidden word, or more text than can be read at once.
        """
        if query is not None:
            raise UsageError("a question for an encoder without a head", expected="a text alone")
        for word in WORDS_FOR_MASK[1:]:
            text = text.replace(word, MASK_NAME)
        pieces = text.split(MASK_NAME)
        if len(pieces) < 2:
            raise UsageError(
                "a text without a hidden word", expected=f"{WORDS_FOR_MASK[1]} where a word is to be found"
            )
        tokens: list[int] = []
        for number, piece in enumerate(pieces):
            # The space before a word is part of its token, so of the hidden one.
            kept = piece.rstrip(" ") if number + 1 < len(pieces) else piece
            tokens += codec.encode_text(kept if number else " " + kept).tolist() if kept else []
            tokens += [self.config.mask_token] if number + 1 < len(pieces) else []
        if len(tokens) > self.config.length:
            raise UsageError(f"a text of {len(tokens)} tokens", expected=f"at most {self.config.length}")
        row = torch.tensor([tokens], device=self.network.encoder.embeddings.device)
        with torch.no_grad():
            shares = self.network(row)[0, :, : self.config.vocabulary].softmax(-1)
        words = []
        for place in (row[0] == self.config.mask_token).nonzero()[:, 0].tolist():
            likeliest = shares[place].topk(min(SHOWN_WORDS, shares.shape[1]))
            named = [codec.decode_tokens(np.array([number])).strip() for number in likeliest.indices.tolist()]
            words.append(dict(zip(named, likeliest.values.tolist())))
        return {"words": words}

    def masked_nats(self, text: str, codec: ReadsPlainText, *, start: int, end: int) -> float:
        """Return the surprise at the tokens between two places of a text, each hidden alone (Salazar et al. 2020, arXiv 1910.14659).

        What does not fit into one reading is left out at the beginning.

        Args:
            text: The whole text.
            codec: The codec of the model.
            start: First character that counts.
            end: The character after the last one.

        Raises:
            UsageError: No token is there, or more than can be read at once.
        """
        # A word is read as if a space stood before it, so places are one further.
        tokens, places = codec.encode_places(" " + text)
        asked = [number for number, (first, after) in enumerate(places) if after - 1 > start and first - 1 < end]
        if not asked or asked[-1] - asked[0] >= self.config.length:
            raise UsageError(
                f"{len(asked)} tokens to be found in a text", expected=f"at least one, and at most {self.config.length}"
            )
        left_out = max(0, asked[-1] + 1 - self.config.length)
        row = torch.tensor(tokens[left_out : left_out + self.config.length])
        hidden = torch.tensor(asked) - left_out
        nats = 0.0
        with torch.no_grad():
            for part in hidden.split(TOGETHER):
                rows, each = row.expand(len(part), -1).clone(), torch.arange(len(part))
                rows[each, part] = self.config.mask_token
                logits = self.network(rows.to(self.network.encoder.embeddings.device))[each, part]
                shares = logits[:, : self.config.vocabulary].log_softmax(-1)
                nats -= float(shares.cpu()[each, row[part]].double().sum())
        return nats
