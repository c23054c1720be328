"""Tells the class of a text, or which of several labels it bears; see ``voting`` for who says so.

A loss is the surprise at the class, or the mean surprise at each label; a text whose class is none of those that were learned teaches
nothing. The temperature that the logits are divided by (Guo et al. 2017, arXiv 1706.04599, section 4.2) is found on the inner validation
set when training is over, so that probabilities are true on the average.
"""

import math
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.encoder.classifier_config import ClassifierConfig
from makar.families.encoder.layouts import labels_settings
from makar.families.encoder.voting import UNIT, CutsWindows, VotingFamily, noted
from makar.families.family import Batch, Loss
from makar.tensor_spec import CLASS, TARGET

LEAST_CHANCE = 0.5
"""Of several labels those are named whose probability is above."""

TEMPERATURES = tuple(math.exp(step / 10) for step in range(-20, 31))
"""From 0.14 to 20, each 10 % above the one before."""


@runtime_checkable
class ReadsClasses(CutsWindows, Protocol):
    """What is needed of a codec of texts with classes."""

    class_names: tuple[str, ...]


class ClassifierFamily(VotingFamily):
    """A reader of texts with classes.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    answer: ClassVar[str] = CLASS
    config: ClassifierConfig

    temperature: Tensor
    """What the logits are divided by."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.register_buffer("temperature", torch.ones(()))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        super().initialise(generator)
        self.temperature.fill_(1.0)

    @property
    def smoothing(self) -> float:
        """Share of the right answer that is spread over all classes while training."""
        return self.config.smoothing

    def judged(self, said: Tensor, right: Tensor, *, smoothing: float) -> Loss:
        """Return the surprise at classes or labels."""
        classes = self.config.classes
        if self.config.several:
            wanted = right[:, :classes].float() * (1 - smoothing) + smoothing / 2
            value = functional.binary_cross_entropy_with_logits(said, wanted)
            return Loss(value=value, count=len(right), unit=UNIT)
        known = right < classes
        count = int(known.sum())
        if not count:
            return Loss(value=said.sum() * 0.0, count=1, unit=UNIT)
        value = functional.cross_entropy(said[known], right[known], label_smoothing=smoothing)
        return Loss(value=value, count=count, unit=UNIT)

    def choose(self, votes: list[Tensor], right: Tensor) -> None:
        """Set the share of the table and the temperature to those by which the classes surprise least."""
        careful = 2 / (len(right) + 2)

        def cost(share: float, temperature: float) -> float:
            # As if one more text had been told wrong: a few that are all right must not make it certain (Platt 1999).
            return float(self.judged(self.network.mixed(votes, share) / temperature, right, smoothing=careful).value)

        tried = [(share, temperature) for share in self.shares for temperature in TEMPERATURES]
        share, temperature = min(tried, key=lambda pair: cost(*pair))
        self.gram_share.fill_(share)
        self.temperature.fill_(temperature)

    def probabilities(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch classes"]:
        """Return the probability of every class, which add up to 1; where a text may bear several labels, of each."""
        logits = self.said(tokens) / self.temperature
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
        rows = self.rows_of(text, codec, query)
        shares = self.probabilities(rows).mean(0).tolist()
        named = dict(zip(codec.class_names, shares, strict=True))
        if self.config.several:
            labels = [name for name, share in named.items() if share > LEAST_CHANCE]
            return {"labels": labels, "probabilities": named, **noted(rows)}
        label = max(named, key=lambda name: named[name])
        return {"label": label, "probability": named[label], "probabilities": named, **noted(rows)}

    def settings(self, codec: Any) -> dict[str, Any]:
        """Return the names of the classes, and whether a text may bear several."""
        kind = "multi_label_classification" if self.config.several else "single_label_classification"
        return {"problem_type": kind, **labels_settings(codec.class_names)}

    def onnx_module(self) -> tuple[nn.Module, str, dict[str, Tensor]]:
        """Return the network from tokens to probabilities."""
        return _Probabilities(self), "probabilities", {}


class _Probabilities(nn.Module):
    """From tokens to the probability of every class."""

    def __init__(self, family: ClassifierFamily) -> None:
        super().__init__()
        self.network, self.share, self.several = family.network, float(family.gram_share), family.config.several
        self.temperature = float(family.temperature)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch classes"]:
        logits = self.network.mixed(self.network.votes(tokens), self.share) / self.temperature
        return logits.sigmoid() if self.several else logits.softmax(-1)
