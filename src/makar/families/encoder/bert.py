"""Learns from text alone: some tokens are hidden and have to be found from those on both sides.

Of the chosen tokens eight in ten are hidden, one is another token, one stays as it is, so that what is read later, without a hidden token
in it, looks familiar (Devlin et al. 2018, arXiv 1810.04805, section 3.1). Three in ten are chosen and not 15 in a hundred (Wettig et al.
2022, arXiv 2202.08005; ModernBERT does the same). The loss is the mean surprise at the chosen tokens; the vectors of the tokens are the
last layer too. Saved so that transformers opens it as ModernBertForMaskedLM.
"""

import copy
import json
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.errors import UsageError
from makar.families.encoder.bert_config import BertConfig
from makar.families.encoder.layouts import MASK_NAME, encoder_settings, saved_name, tokenizer_files
from makar.families.encoder.network import PRECISIONS, EncoderNetwork, ReadingHead
from makar.families.encoder.options import EncoderOptions, EncoderSampler
from makar.families.encoder.reading import encoder_groups
from makar.families.family import Batch, Family, Loss, OnnxPart, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.nn.cross_entropy import linear_cross_entropy
from makar.tensor_spec import TARGET

UNIT = "nats/token"
ARCHITECTURE = "ModernBertForMaskedLM"
HIDDEN_SHARE, OTHER_SHARE = 0.8, 0.1
"""Of the chosen tokens: how many are hidden, how many are another token; the rest stays."""

SHOWN_WORDS = 5
WORDS_FOR_MASK = (MASK_NAME, "[MASK]")
"""What stands for a hidden word in a text."""


@runtime_checkable
class ReadsPlainText(Protocol):
    """What is needed of a codec of text."""

    def encode_text(self, text: str) -> np.ndarray:
        """Return tokens ``[length]``."""

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``."""


class BertNetwork(nn.Module):
    """From tokens to the logits of each.

    Args:
        config: Sizes.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EncoderNetwork(config)
        self.head = ReadingHead(config, 0)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.encoder.initialise(generator)
        self.head.initialise(generator)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length rows"]:
        """Return the logits of every token at every place, float32."""
        made: Tensor = self.head.transformed(self.encoder(tokens), torch.float32)
        return made @ self.encoder.embeddings.T


class BertFamily(Family):
    """An encoder of text that finds hidden words.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[EncoderOptions]] = EncoderOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config: BertConfig = config
        self.precision = "float32"
        self.network = BertNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)

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

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> EncoderSampler:
        """Return a sampler that says what writes texts."""
        del codec
        refuse_hook(hook)
        return EncoderSampler()

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of ModernBertForMaskedLM."""
        return {saved_name(name): value for name, value in self.state_dict().items()}

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return config.json, tokenizer.json and tokenizer_config.json."""
        settings = encoder_settings(self.config, architecture=ARCHITECTURE, end_token=codec.end_token)
        return {"config.json": json.dumps(settings, indent=2).encode(), **tokenizer_files(self.config, codec)}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from tokens to logits."""
        tokens = torch.arange(8).view(2, 4) % max(1, self.config.vocabulary)
        return [
            OnnxPart(
                name="model",
                module=copy.deepcopy(self.network).eval(),
                inputs={"tokens": tokens},
                outputs=("logits",),
                dynamic={"tokens": {0: "batch", 1: "length"}},
            )
        ]
