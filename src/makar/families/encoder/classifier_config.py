"""Settings of the encoder that tells the class of a text, or which of several labels it bears; no torch."""

import dataclasses
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.encoder.voting_config import VotingConfig
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierConfig(VotingConfig):
    """An encoder of text with classes."""

    kind: ClassVar[str] = "classifier"
    target: ClassVar[str] = "makar.families.encoder.classifier:ClassifierFamily"
    predictions: ClassVar[tuple[str, ...]] = ("label",)

    classes: int = setting(
        0, meaning="classes, or labels where a text may bear several; 0 takes it from the codec", minimum=0
    )
    several: bool = setting(False, meaning="whether a text may bear several labels, or none")
    smoothing: float = setting(
        0.1,
        meaning="share of the right answer that is spread over all classes while training",
        minimum=0.0,
        maximum=0.5,
    )

    @property
    def outputs(self) -> int:
        """One logit a class."""
        return self.classes

    def accepts(self) -> TensorSpec:
        """Return texts as rows of tokens, each with its class, or with one mark a label; the last stands for any other."""
        named = self.classes + 1 if self.classes else None
        kind = (
            Slot(kind="tokens", axes=("classes",), sizes=(named,), vocabulary=2)
            if self.several
            else Slot(kind="tokens", axes=(), sizes=(), vocabulary=named)
        )
        return TensorSpec({TARGET: self.text_slot(), CLASS: kind})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the vocabulary, the length and the classes of what a codec makes.

        Raises:
            ConfigError: It makes no texts with classes.
        """
        if TARGET not in made or CLASS not in made or made[TARGET].kind != "tokens":
            raise ConfigError("the codec makes no texts with classes", expected='codec "labelled-text"')
        label = made[CLASS]
        several = bool(label.axes)
        named = label.sizes[0] if several else label.vocabulary
        return self.changed(**self.sizes_of(made[TARGET]), classes=(named or 1) - 1, several=several)

    def completed(self, made: TensorSpec) -> Self:
        """Return a copy with the classes of the data, where the model that it begins from knew none."""
        if self.classes or CLASS not in made:
            return self
        bound = self.bound_to(made)
        return self.changed(classes=bound.classes, several=bound.several)
