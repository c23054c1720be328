"""Sums a text up by its own sentences: a score for each, from a few weights over what is seen of it, with training or without.

The score of a sentence with features f is w . f + v . gelu(A f). Untrained, w is ``UNTRAINED`` (centrality, place, what is new) and the
second part is 0; training begins there. What is learned is which sentences the greedy rule takes (``sentence_oracle``): the surprise at one
of them, drawn evenly, under the softmax of the scores of a text, so that only their order within a text counts.

Source: Erkan and Radev 2004 (LexRank) and Mihalcea and Tarau 2004 (TextRank) for what needs no training; Nallapati et al. 2017, arXiv
1611.04230, section 2.3 for the labels; Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach", section 4.2 for
the loss.
"""

import copy
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from makar.codecs.summary_config import SENTENCE_FEATURES
from makar.errors import UnsupportedError, UsageError
from makar.families.extractive.config import UNTRAINED, ExtractiveConfig
from makar.families.extractive.options import ExtractiveOptions
from makar.families.extractive.sampler import ExtractiveSampler, judge
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.tensor_spec import CHOSEN, FEATURES

UNIT = "nats/text"
NEVER = float("-inf")


class SentenceScores(nn.Module):
    """From what is seen of sentences to one score each.

    Args:
        hidden: Channels of the network beside the weights.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        features = len(SENTENCE_FEATURES)
        self.weights = nn.Parameter(torch.zeros(features))
        self.inner = nn.Parameter(torch.zeros(hidden, features)) if hidden else None
        self.outer = nn.Parameter(torch.zeros(hidden)) if hidden else None

    def initialise(self, generator: torch.Generator) -> None:
        """Set the weights that need no training, and draw a network that adds nothing yet."""
        with torch.no_grad():
            self.weights.copy_(torch.tensor([UNTRAINED.get(name, 0.0) for name in SENTENCE_FEATURES]))
            if self.inner is not None and self.outer is not None:
                self.inner.normal_(0.0, len(SENTENCE_FEATURES) ** -0.5, generator=generator)
                self.outer.zero_()

    def forward(self, features: Float[Tensor, "*sentences features"]) -> Float[Tensor, "*sentences"]:
        """Return the scores."""
        scores: Tensor = features @ self.weights
        if self.inner is not None and self.outer is not None:
            scores = scores + functional.gelu(features @ self.inner.T) @ self.outer
        return scores


class ExtractiveFamily(Family):
    """A model that picks sentences.

    Args:
        config: Sizes.
    """

    options: ClassVar[type[ExtractiveOptions]] = ExtractiveOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: ExtractiveConfig) -> None:
        super().__init__()
        self.config: ExtractiveConfig = config
        self.network = SentenceScores(config.hidden)
        if config.fixed:
            # They stand in the code, so there is nothing to draw, to save or to read.
            self.network = SentenceScores(0)
            self.network.initialise(torch.Generator())
            self.network.requires_grad_(False)

    def initialise(self, generator: torch.Generator) -> None:
        """Set the weights that need no training."""
        self.network.initialise(generator)

    def phases(self) -> list[Phase]:
        """Return the one phase: all weights learn which sentences to take.

        Raises:
            UnsupportedError: They are fixed.
        """
        if self.config.fixed:
            raise UnsupportedError(
                "the weights of this model are fixed", expected="fixed = false, or a model that was trained"
            )
        groups = [ParameterGroup(parameters=list(self.network.parameters()))]
        return [Phase(name="choosing", groups=groups, loss=self._loss)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at the sentences of held-out texts."""
        with torch.no_grad():
            return self._loss(batch, generator)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        features = rows_of(batch[FEATURES])
        chosen = functional.pad(batch[CHOSEN], (0, features.shape[1]))[:, : features.shape[1]].float()
        exists = features[..., 0] > 0
        scores = self.network(features).masked_fill(~exists, NEVER)
        surprise = -scores.log_softmax(-1).masked_fill(~exists, 0.0)
        taken = (chosen * exists).sum(-1)
        known = taken > 0
        count = int(known.sum())
        # A text of whose summary no word is found teaches nothing, but keeps its place in the graph.
        each = (surprise * chosen).sum(-1) / taken.clamp_min(1)
        return Loss(value=each.sum() / max(1, count), count=max(1, count), unit=UNIT)

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``salience``, float32 ``[batch, sentences]``: 0 where there is no sentence."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        features = rows_of(batch[FEATURES])
        with torch.no_grad():
            scores = self.network(features) * (features[..., 0] > 0)
        return {what: scores.float().cpu().numpy()}

    def read_text(self, text: str, codec: Any, *, query: str | None) -> dict[str, Any]:
        """Return every sentence of a text with its score.

        Args:
            text: The text.
            codec: Not needed.
            query: Must be ``None``: it answers no question.

        Raises:
            UsageError: There is a question.
            UnsupportedError: The text has no sentence.
        """
        del codec
        if query is not None:
            raise UsageError("a question for a model that sums texts up", expected="a text alone")
        judged = judge(text, self._scores)
        pairs = zip(judged.sentences, judged.scores.tolist())
        return {"sentences": [{"sentence": sentence, "salience": round(score, 4)} for sentence, score in pairs]}

    def _scores(self, features: Tensor) -> Tensor:
        scores: Tensor = self.network(features.to(self.network.weights.device)).float().cpu()
        return scores

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return what picks sentences; no token is drawn, so there is nothing for a hook."""
        refuse_hook(hook)
        return ExtractiveSampler(self._scores, codec)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights; none where they are fixed."""
        return {} if self.config.fixed else dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from what is seen of sentences to their scores."""
        return [
            OnnxPart(
                name="model",
                module=copy.deepcopy(self.network).eval(),
                inputs={"features": torch.rand(3, len(SENTENCE_FEATURES), generator=torch.Generator().manual_seed(0))},
                outputs=("scores",),
                dynamic={"features": {0: "sentences"}},
            )
        ]


def rows_of(features: Float[Tensor, "batch length"]) -> Float[Tensor, "batch sentences features"]:
    """Return what is seen of the sentences, one row each; where the first number is 0 there is none."""
    width = len(SENTENCE_FEATURES)
    sentences = max(1, features.shape[1] // width)
    features = functional.pad(features, (0, max(0, sentences * width - features.shape[1])))
    return features[:, : sentences * width].unflatten(1, (sentences, width))
