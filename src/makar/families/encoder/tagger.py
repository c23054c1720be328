"""Gives every word of a text a tag: an encoder whose first token of a word speaks for it, and what can be seen of words, each with a chain.

Both score tags at words and tags after tags (``makar.nn.tag_chain``); each learns by the surprise at the right sequence, and the decision
is the best sequence of both, mixed. What the scheme of the tags forbids cannot be said. How much the features count is found on the inner
validation set when training is over. A word of a tag that was not learned teaches nothing, and neither does the text that it is in.

Source: Lample et al. 2016, arXiv 1603.01360; Lafferty, McCallum and Pereira 2001.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.codecs.tag_scheme import allowed_before, entities_of
from makar.codecs.tagged_text_config import FEATURE_ROWS
from makar.codecs.word_features import words_of
from makar.errors import UsageError
from makar.families.encoder.family import EncoderFamily, HeadedNetwork
from makar.families.encoder.layouts import labels_settings
from makar.families.encoder.network import PRECISIONS
from makar.families.encoder.reading import encoder_groups, shortened
from makar.families.encoder.tagger_config import TaggerConfig
from makar.families.family import Batch, Loss, ParameterGroup, Phase
from makar.nn.dropout import dropped
from makar.nn.tag_chain import NEVER, Chain, best_tags, chances, log_total, score_of
from makar.tensor_spec import FEATURES, PLACES, TAGS, TARGET

UNIT = "nats/word"
EVEN = 0.5
SHARES = tuple(step / 10 for step in range(11))


@runtime_checkable
class ReadsTags(Protocol):
    """What is needed of a codec of texts with tags."""

    tag_names: tuple[str, ...]

    def pieces(self, words: Any) -> Any:
        """Yield the first word and the slots of every piece of a text."""


class Steps(nn.Module):
    """Scores of a tag after another, and at the start.

    Args:
        tags: Number of tags.
    """

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.after = nn.Parameter(torch.zeros(tags, tags))
        self.first = nn.Parameter(torch.zeros(tags))


class TaggerNetwork(HeadedNetwork):
    """From tokens and features to chains of tags.

    Args:
        config: Sizes.
    """

    def __init__(self, config: TaggerConfig) -> None:
        super().__init__(config, config.tags)
        self.config: TaggerConfig = config
        self.steps = Steps(config.tags)
        self.table = nn.Parameter(torch.zeros(FEATURE_ROWS, config.tags)) if config.features else None
        self.table_steps = Steps(config.tags) if config.features else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; steps and features begin at zero."""
        super().initialise(generator)
        with torch.no_grad():
            for steps in (self.steps, self.table_steps):
                if steps is not None:
                    steps.after.zero_()
                    steps.first.zero_()
            if self.table is not None:
                self.table.zero_()

    def at_words(
        self,
        tokens: Int[Tensor, "batch length"],
        places: Int[Tensor, "batch words"],
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch words tags"]:
        """Return the encoder's scores of tags at words.

        Args:
            tokens: Filled up with the padding token.
            places: Where the first token of each word stands, from 1 on; 0 is no word.
            dtype: Type of the products.
            generator: Source of dropout's masks and of hidden tokens; ``None`` as outside training.
        """
        stream, _ = self.vectors(tokens, dtype, generator)
        chosen = (places - 1).clamp(min=0)[..., None].expand(-1, -1, stream.shape[2])
        scores: Tensor = self.head(stream.gather(1, chosen), dtype=dtype, generator=generator)
        return scores

    def seen(
        self, features: Int[Tensor, "batch words features"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch words tags"]:
        """Return what the features of words say of their tags."""
        assert self.table is not None, "only with features"
        batch, words, count = features.shape
        there = dropped(torch.ones(features.shape), self.config.feature_dropout, generator).to(features.device)
        rows = functional.embedding_bag(
            features.reshape(-1, count), self.table, per_sample_weights=there.reshape(-1, count), mode="sum"
        )
        return rows.view(batch, words, -1) / count**0.5


class TaggerFamily(EncoderFamily):
    """A reader of texts with tags.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    architecture: ClassVar[str] = "ModernBertForTokenClassification"
    config: TaggerConfig
    network: TaggerNetwork

    feature_share: Tensor
    """How much the features count."""

    forbidden: Tensor
    """Which tag (column) may not come after which (row); the last row is the start."""

    def __init__(self, config: TaggerConfig) -> None:
        super().__init__(config, TaggerNetwork(config))
        self.register_buffer("feature_share", torch.full((), EVEN if config.features else 0.0))
        self.register_buffer("forbidden", _forbidden(config), persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        super().initialise(generator)
        self.feature_share.fill_(EVEN if self.config.features else 0.0)

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at the right tags."""
        network = self.network
        groups = encoder_groups(network.encoder)
        groups += encoder_groups(network.head)
        groups.append(ParameterGroup(parameters=list(network.steps.parameters()), weight_decay=0.0))
        if network.table is not None and network.table_steps is not None:
            found = [network.table, *network.table_steps.parameters()]
            groups.append(
                ParameterGroup(parameters=found, learning_rate_scale=self.config.feature_rate, weight_decay=0.0)
            )
        return [Phase(name="tags", groups=groups, loss=self._loss)]

    def chains(self, batch: Batch, generator: torch.Generator | None = None) -> list[Chain]:
        """Return the chain of the encoder and, where there are features, theirs; no word further than the longest text."""
        network = self.network
        longest = max(1, int((batch[PLACES] > 0).sum(1).max()))
        places = batch[PLACES][:, :longest]
        dtype = PRECISIONS[self.precision] if generator is not None else torch.float32
        at = network.at_words(shortened(batch[TARGET], self.config), places, dtype, generator)
        found = [self._chain(at, network.steps, places > 0)]
        if network.table_steps is not None:
            seen = network.seen(batch[FEATURES][:, :longest], generator)
            found.append(self._chain(seen, network.table_steps, places > 0))
        return found

    def _chain(self, at: Tensor, steps: Steps, exists: Bool[Tensor, "batch words"]) -> Chain:
        never = NEVER * self.forbidden
        return Chain(at=at, after=steps.after + never[:-1], first=steps.first + never[-1], exists=exists)

    def mixed(self, chains: list[Chain], share: float) -> Chain:
        """Return the one chain that decides."""
        return chains[0] if len(chains) == 1 else chains[0].mixed(chains[1], share)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        parts = [self._surprise(chain, batch[TAGS]) for chain in self.chains(batch, generator)]
        return Loss(value=torch.stack([part.value for part in parts]).sum(), count=parts[0].count, unit=UNIT)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at the right tags by an even vote, without dropout."""
        del generator
        with torch.no_grad():
            return self._surprise(self.mixed(self.chains(batch), EVEN), batch[TAGS])

    def _surprise(self, chain: Chain, tags: Tensor) -> Loss:
        right = tags[:, : chain.at.shape[1]]
        known = ((right < self.config.tags) | ~chain.exists).all(1) & chain.exists.any(1)
        count = int(chain.exists[known].sum())
        if not count:
            return Loss(value=chain.at.sum() * 0.0, count=1, unit=UNIT)
        surprise = log_total(chain) - score_of(chain, right.clamp(max=self.config.tags - 1))
        return Loss(value=surprise[known].sum() / count, count=count, unit=UNIT)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Set the share of the features to the one by which the tags of these texts surprise least."""
        if not self.config.features:
            return
        cost = dict.fromkeys(SHARES, 0.0)
        with torch.no_grad():
            for batch in batches:
                chains = self.chains(batch)
                for share in SHARES:
                    loss = self._surprise(self.mixed(chains, share), batch[TAGS])
                    cost[share] += float(loss.value) * loss.count
        if any(cost.values()):
            self.feature_share.fill_(min(cost, key=lambda share: cost[share]))

    def tags(self, batch: Batch) -> tuple[Int[Tensor, "batch words"], Float[Tensor, "batch words"]]:
        """Return the best tags of words and the probability of each."""
        with torch.no_grad():
            chain = self.mixed(self.chains(batch), float(self.feature_share))
            found = best_tags(chain)
        return found, chances(chain).gather(2, found[..., None])[..., 0]

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``tags``, int64, and ``probability``, both ``[batch, words]``; where no word is, tag 0."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        found, chance = self.tags(batch)
        return {"tags": found.cpu().numpy(), "probability": chance.cpu().numpy()}

    def read_text(self, text: str, codec: ReadsTags, *, query: str | None) -> dict[str, Any]:
        """Return the entities of a text with their places, or the tag of every word where the tags mark none.

        Args:
            text: The text.
            codec: The codec of the model.
            query: Must be ``None``: it answers no question.

        Raises:
            UsageError: There is a question, or the text is empty.
        """
        if query is not None:
            raise UsageError("a question for a tagger", expected="a text alone")
        spans = words_of(text)
        if not spans:
            raise UsageError("an empty text", expected="at least one word")
        tags: list[str] = []
        chance: list[float] = []
        windows = 0
        for _, slots in codec.pieces([text[start:end] for start, end in spans]):
            batch = {name: torch.from_numpy(np.asarray(values, np.int64))[None] for name, values in slots.items()}
            batch = {name: values.to(self.forbidden.device) for name, values in batch.items()}
            found, sure = self.tags(batch)
            count = int((batch[PLACES] > 0).sum())
            tags += [codec.tag_names[number] for number in found[0, :count].tolist()]
            chance += sure[0, :count].tolist()
            windows += 1
        said: dict[str, Any] = {"windows": windows} if windows > 1 else {}
        if not self.config.entities:
            words = [{"text": text[start:end], "tag": tag} for (start, end), tag in zip(spans, tags, strict=True)]
            return {"entities": words, **said}
        entities = []
        for kind, first, after in entities_of(tags):
            start, end = spans[first][0], spans[after - 1][1]
            sure_of = min(chance[first:after])
            entities.append({"kind": kind, "text": text[start:end], "start": start, "end": end, "probability": sure_of})
        return {"entities": entities, **said}

    @property
    def is_known(self) -> bool:
        """Not where features vote; the steps of the chain are not known either, but only guide what the scores say."""
        return not self.config.features

    def settings(self, codec: Any) -> dict[str, Any]:
        """Return the names of the tags."""
        return labels_settings(codec.tag_names)

    def onnx_module(self) -> tuple[nn.Module, str, dict[str, Tensor]]:
        """Return the encoder from tokens and places to scores at words."""
        return _Scores(self.network), "scores", {"places": torch.tensor([[1, 3], [1, 2]])}


class _Scores(nn.Module):
    """From tokens and places to the encoder's scores of tags at words."""

    def __init__(self, network: TaggerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, tokens: Int[Tensor, "batch length"], places: Int[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words tags"]:
        return self.network.at_words(tokens, places)


def _forbidden(config: TaggerConfig) -> Tensor:
    """Return 1 for every tag (column) that may not come after a tag (row), or at the start (last row)."""
    found = torch.zeros(config.tags + 1, config.tags)
    for number in range(config.tags if config.entities else 0):
        if (before := allowed_before(number)) is not None:
            found[:, number] = 1.0
            found[list(before), number] = 0.0
    return found
