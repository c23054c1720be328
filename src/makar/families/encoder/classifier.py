"""Tells the class of a text, or which of several labels it bears: an encoder with its mean vector, and a table of short runs of tokens.

The two learn side by side, each by its own loss, and vote: their logits are mixed. Trained as one sum they were worse than the table alone
(docs/log.md, 2026-11-29), because the encoder learns small data by heart and the table is then told nothing more. Several encoders may
vote, which is what time is good for where the data are few (Lakshminarayanan et al. 2017, arXiv 1612.01474). A loss is the surprise at the
class, or the mean surprise at each label; a text whose class is none of those that were learned teaches nothing. How much the table counts,
and the temperature that the logits are divided by (Guo et al. 2017, arXiv 1706.04599, section 4.2), is found on the inner validation set
when training is over, so that probabilities are true on the average.
"""

import copy
import json
import math
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.errors import UsageError
from makar.families.encoder.classifier_config import ClassifierConfig
from makar.families.encoder.layouts import encoder_settings, labels_settings, saved_name, tokenizer_files
from makar.families.encoder.network import PRECISIONS, EncoderNetwork, ReadingHead, mean_of_tokens
from makar.families.encoder.options import EncoderOptions, EncoderSampler
from makar.families.encoder.reading import encoder_groups, hidden_tokens, shortened, take_encoder
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.nn.token_grams import TokenGrams
from makar.tensor_spec import CLASS, TARGET

UNIT = "nats/text"
ARCHITECTURE = "ModernBertForSequenceClassification"
LEAST_CHANCE = 0.5
"""Of several labels those are named whose probability is above."""

TEMPERATURES = tuple(math.exp(step / 10) for step in range(-20, 31))
"""From 0.14 to 20, each 10 % above the one before."""

EVEN = 0.5
SHARES = tuple(step / 10 for step in range(11))
"""How much the table of runs may count."""


@runtime_checkable
class ReadsClasses(Protocol):
    """What is needed of a codec of texts with classes."""

    class_names: tuple[str, ...]

    def windows(self, text: str) -> np.ndarray:
        """Return a text as rows of tokens ``[windows, length]``."""


class Reader(nn.Module):
    """One encoder with its head: from tokens to one logit a class.

    Args:
        config: Sizes.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EncoderNetwork(config)
        self.head = ReadingHead(config, config.classes)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.encoder.initialise(generator)
        self.head.initialise(generator)

    def forward(
        self, tokens: Int[Tensor, "batch length"], dtype: torch.dtype, generator: torch.Generator | None
    ) -> Float[Tensor, "batch classes"]:
        """Return logits; with a generator some tokens are hidden and channels dropped."""
        config = self.config
        hidden = hidden_tokens(tokens, config.token_dropout, generator, mask=config.mask_token)
        exists = tokens != config.padding_token
        read = torch.where(hidden & exists, config.mask_token, tokens)
        stream = self.encoder(read, dtype=dtype, generator=generator)
        logits: Tensor = self.head(mean_of_tokens(stream, exists), dtype=dtype, generator=generator)
        return logits


class ClassifierNetwork(Reader):
    """The first reader, further ones beside it, and the table of runs: from tokens to the logits of each that votes.

    Args:
        config: Sizes.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.further = nn.ModuleList(Reader(config) for _ in range(config.readers - 1))
        self.grams = (
            TokenGrams(rows=config.gram_rows, outputs=config.classes, longest=config.grams, dropout=config.gram_dropout)
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
        """Return the logits ``[batch, classes]`` of every reader and, where there is one, of the table, which is the last.

        Args:
            tokens: Filled up with the padding token.
            dtype: Type of the products.
            generator: Source of dropout's masks and of hidden tokens; ``None`` as outside training.
        """
        found = [self(tokens, dtype, generator), *(reader(tokens, dtype, generator) for reader in self.further)]
        if self.grams is None:
            return found
        return [*found, self.grams(tokens, tokens != self.config.padding_token, generator)]

    def mixed(self, votes: list[Tensor], share: float) -> Tensor:
        """Return the mean logits of the readers, and of the table with its share.

        Args:
            votes: From ``votes``.
            share: How much the table counts, 0 to 1.
        """
        readers = torch.stack(votes[: self.config.readers]).mean(0)
        return readers if self.grams is None else (1 - share) * readers + share * votes[-1]


class ClassifierFamily(Family):
    """A reader of texts with classes.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[EncoderOptions]] = EncoderOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    temperature: Tensor
    """What the logits are divided by."""

    gram_share: Tensor
    """How much the table counts."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config: ClassifierConfig = config
        self.precision = "float32"
        self.network = ClassifierNetwork(config)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("gram_share", torch.full((), EVEN if config.grams else 0.0))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)
        self.temperature.fill_(1.0)
        self.gram_share.fill_(EVEN if self.config.grams else 0.0)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over a classifier whole, and of any other encoder what reads."""
        if isinstance(parent, ClassifierFamily):
            super().begin_from(parent, batches)
        else:
            for reader in (self.network, *self.network.further):
                take_encoder(reader.encoder, parent)

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at the class."""
        grams = self.network.grams
        groups = encoder_groups(self.network, apart=grams)
        if grams is not None:
            groups.append(
                ParameterGroup(parameters=[grams.table], learning_rate_scale=self.config.gram_rate, weight_decay=0.0)
            )
        return [Phase(name="classes", groups=groups, loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        votes = self.network.votes(shortened(batch[TARGET], self.config), PRECISIONS[self.precision], generator)
        right, smoothing = batch[CLASS], self.config.smoothing
        parts = [self._surprise(logits, right, smoothing=smoothing) for logits in votes]
        # Their sum: each has weights of its own, and none must learn more slowly because there are others.
        value = torch.stack([part.value for part in parts]).sum()
        return Loss(value=value, count=parts[0].count, unit=UNIT)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at the class by an even vote, without dropout or smoothing."""
        del generator
        with torch.no_grad():
            votes = self.network.votes(shortened(batch[TARGET], self.config), PRECISIONS[self.precision])
            return self._surprise(self.network.mixed(votes, EVEN), batch[CLASS], smoothing=0.0)

    def _surprise(self, logits: Tensor, right: Tensor, *, smoothing: float) -> Loss:
        classes = self.config.classes
        if self.config.several:
            wanted = right[:, :classes].float() * (1 - smoothing) + smoothing / 2
            value = functional.binary_cross_entropy_with_logits(logits, wanted)
            return Loss(value=value, count=len(right), unit=UNIT)
        known = right < classes
        count = int(known.sum())
        if not count:
            return Loss(value=logits.sum() * 0.0, count=1, unit=UNIT)
        value = functional.cross_entropy(logits[known], right[known], label_smoothing=smoothing)
        return Loss(value=value, count=count, unit=UNIT)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Set the share of the table and the temperature to those by which the classes of these texts surprise least."""
        found = []
        with torch.no_grad():
            for batch in batches:
                found.append((self.network.votes(shortened(batch[TARGET], self.config)), batch[CLASS]))
        if not found:
            return
        right = torch.cat([part for _, part in found])
        votes = [torch.cat(parts) for parts in zip(*(votes for votes, _ in found), strict=True)]

        careful = 2 / (len(right) + 2)

        def cost(share: float, temperature: float) -> float:
            # As if one more text had been told wrong: a few that are all right must not make it certain (Platt 1999).
            return float(self._surprise(self.network.mixed(votes, share) / temperature, right, smoothing=careful).value)

        shares = SHARES if self.config.grams else (0.0,)
        tried = [(share, temperature) for share in shares for temperature in TEMPERATURES]
        share, temperature = min(tried, key=lambda pair: cost(*pair))
        self.gram_share.fill_(share)
        self.temperature.fill_(temperature)

    def probabilities(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch classes"]:
        """Return the probability of every class, which add up to 1; where a text may bear several labels, of each."""
        with torch.no_grad():
            logits = self.network.mixed(self.network.votes(shortened(tokens, self.config)), float(self.gram_share))
            logits = logits / self.temperature
        return logits.sigmoid() if self.config.several else logits.softmax(-1)

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``probability``, float32 ``[batch, classes]``."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        return {"probability": self.probabilities(batch[TARGET]).cpu().numpy()}

    def read_text(self, text: str, codec: ReadsClasses, *, query: str | None) -> dict[str, Any]:
        """Return the class of a text, or its labels, with the probability of each.

        A text that is longer than what is read at once is cut into windows, whose probabilities are averaged.

        Args:
            text: The text.
            codec: The codec of the model.
            query: Must be ``None``: it answers no question.

        Raises:
            UsageError: There is a question, or the text is empty.
        """
        if query is not None:
            raise UsageError("a question for a classifier", expected="a text alone")
        if not text.strip():
            raise UsageError("an empty text", expected="at least one word")
        rows = torch.from_numpy(codec.windows(text)).to(self.temperature.device)
        shares = self.probabilities(rows).mean(0).tolist()
        named = dict(zip(codec.class_names, shares, strict=True))
        said: dict[str, Any] = {"windows": len(rows)} if len(rows) > 1 else {}
        if self.config.several:
            labels = [name for name, share in named.items() if share > LEAST_CHANCE]
            return {"labels": labels, "probabilities": named, **said}
        label = max(named, key=lambda name: named[name])
        return {"label": label, "probability": named[label], "probabilities": named, **said}

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> EncoderSampler:
        """Return a sampler that says what writes texts."""
        del codec
        refuse_hook(hook)
        return EncoderSampler()

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights, those of the encoder and its head under the names of ModernBertForSequenceClassification."""
        return {saved_name(name): value for name, value in self.state_dict().items()}

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return what transformers needs; nothing where more than one encoder votes, which it does not know."""
        if self.config.grams or self.config.readers > 1:
            return {}
        kind = "multi_label_classification" if self.config.several else "single_label_classification"
        settings = encoder_settings(self.config, architecture=ARCHITECTURE, end_token=codec.end_token)
        settings |= {"problem_type": kind, **labels_settings(codec.class_names)}
        return {"config.json": json.dumps(settings, indent=2).encode(), **tokenizer_files(self.config, codec)}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from tokens to probabilities."""
        tokens = torch.arange(8).view(2, 4) % max(1, self.config.vocabulary)
        return [
            OnnxPart(
                name="model",
                module=_Probabilities(copy.deepcopy(self)).eval(),
                inputs={"tokens": tokens},
                outputs=("probabilities",),
                dynamic={"tokens": {0: "batch", 1: "length"}},
            )
        ]


class _Probabilities(nn.Module):
    """From tokens to the probability of every class."""

    def __init__(self, family: ClassifierFamily) -> None:
        super().__init__()
        self.network, self.share, self.several = family.network, float(family.gram_share), family.config.several
        self.temperature = float(family.temperature)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch classes"]:
        logits = self.network.mixed(self.network.votes(tokens), self.share) / self.temperature
        return logits.sigmoid() if self.several else logits.softmax(-1)
