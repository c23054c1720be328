"""Settings of the encoder that gives every word of a text a tag; no torch."""

import dataclasses
from typing import ClassVar, Self

from makar.codecs.tagged_text_config import FEATURE_COUNT, FEATURE_ROWS, MARKS, spec_of
from makar.config import setting
from makar.errors import ConfigError
from makar.families.encoder.config import FURTHER_TOKENS, ReaderConfig, head_weights
from makar.tensor_spec import PLACES, TAGS, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggerConfig(ReaderConfig):
    """An encoder of text with tags."""

    kind: ClassVar[str] = "tagger"
    target: ClassVar[str] = "makar.families.encoder.tagger:TaggerFamily"
    predictions: ClassVar[tuple[str, ...]] = ("entities",)

    words: int = setting(40, meaning="words that are read at once", minimum=1, maximum=1 << 16)
    tags: int = setting(0, meaning="different tags; 0 takes it from the codec", minimum=0)
    entities: bool = setting(
        False, meaning="whether tags mark entities: outside, begin and inside of each kind, in this order"
    )
    features: bool = setting(True, meaning="whether what can be seen of a word votes beside the network")
    feature_dropout: float = setting(
        0.1, meaning="share of what can be seen of a word left out while training", minimum=0.0, maximum=0.9
    )
    feature_rate: float = setting(
        5.0, meaning="learning rate of the features, in that of the network", minimum=0.0, maximum=100.0
    )

    def accepts(self) -> TensorSpec:
        """Return texts as rows of tokens, each with place, tag and features of its words."""
        if self.vocabulary and self.tags:
            return spec_of(
                tokens=self.vocabulary + FURTHER_TOKENS,
                length=self.length,
                words=self.words,
                tags=self.tags,
                entities=self.entities,
            )
        made = spec_of(tokens=2, length=self.length, words=self.words, tags=1, entities=self.entities).slots
        any_ = {name: dataclasses.replace(made[name], vocabulary=None) for name in (TARGET, TAGS)}
        return TensorSpec({**made, **any_})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the sizes of what a codec makes.

        Raises:
            ConfigError: It makes no texts with tags.
        """
        if TAGS not in made or PLACES not in made or TARGET not in made:
            raise ConfigError("the codec makes no texts with tags", expected='codec "tagged-text"')
        text, tags = made[TARGET], made[TAGS]
        return self.changed(
            **self.sizes_of(text),
            words=tags.sizes[0] or self.words,
            tags=(tags.vocabulary or 1) - 1,
            entities=tags.axes == (MARKS,),
        )

    def completed(self, made: TensorSpec) -> Self:
        """Return a copy with words and tags of the data, where the model that it begins from knew none."""
        if self.tags or TAGS not in made:
            return self
        slot: Slot = made[TAGS]
        entities = slot.axes == (MARKS,)
        return self.changed(words=slot.sizes[0] or self.words, tags=(slot.vocabulary or 1) - 1, entities=entities)

    def head_count(self) -> int:
        """Return the weights of the head, of the chain, and of the features with a chain of their own."""
        chain = self.tags * (self.tags + 1)
        return head_weights(self, self.tags) + chain + (FEATURE_ROWS * self.tags + chain if self.features else 0)

    def head_operations(self) -> float:
        """Return the multiplications of the head for one text."""
        one = self.width * (self.width + self.tags) + 2 * self.tags * self.tags
        return float(self.words * (one + (FEATURE_COUNT * self.tags if self.features else 0)))
