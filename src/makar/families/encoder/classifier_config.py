"""Settings of the encoder that tells the class of a text, or which of several labels it bears; no torch."""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.encoder.config import FURTHER_TOKENS, EncoderConfig, head_weights
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierConfig(EncoderConfig):
    """An encoder of text with classes."""

    kind: ClassVar[str] = "classifier"
    target: ClassVar[str] = "makar.families.encoder.classifier:ClassifierFamily"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    predictions: ClassVar[tuple[str, ...]] = ("label",)

    classes: int = setting(
        0, meaning="classes, or labels where a text may bear several; 0 takes it from the codec", minimum=0
    )
    several: bool = setting(False, meaning="whether a text may bear several labels, or none")
    readers: int = setting(
        1, meaning="encoders that learn side by side, each from weights of its own, and vote", minimum=1, maximum=64
    )
    grams: int = setting(
        3, meaning="tokens of the longest run that votes beside the network; 0 is none", minimum=0, maximum=8
    )
    gram_rows: int = setting(1 << 17, meaning="rows of the table of runs", minimum=2, maximum=1 << 26)
    gram_dropout: float = setting(0.0, meaning="share of the runs left out while training", minimum=0.0, maximum=0.9)
    gram_rate: float = setting(
        5.0, meaning="learning rate of the runs, in that of the network", minimum=0.0, maximum=100.0
    )
    token_dropout: float = setting(0.1, meaning="share of the tokens hidden while training", minimum=0.0, maximum=0.9)
    smoothing: float = setting(
        0.1,
        meaning="share of the right answer that is spread over all classes while training",
        minimum=0.0,
        maximum=0.5,
    )

    def accepts(self) -> TensorSpec:
        """Return texts as rows of tokens, each with its class, or with one mark a label; the last stands for any other."""
        named = self.classes + 1 if self.classes else None
        tokens = self.vocabulary + FURTHER_TOKENS if self.vocabulary else None
        kind = (
            Slot(kind="tokens", axes=("classes",), sizes=(named,), vocabulary=2)
            if self.several
            else Slot(kind="tokens", axes=(), sizes=(), vocabulary=named)
        )
        return TensorSpec(
            {TARGET: Slot(kind="tokens", axes=("length",), sizes=(self.length,), vocabulary=tokens), CLASS: kind}
        )

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the vocabulary, the length and the classes of what a codec makes.

        Raises:
            ConfigError: It makes no texts with classes.
        """
        if TARGET not in made or CLASS not in made or made[TARGET].kind != "tokens":
            raise ConfigError("the codec makes no texts with classes", expected='codec "labelled-text"')
        text, label = made[TARGET], made[CLASS]
        several = bool(label.axes)
        named = label.sizes[0] if several else label.vocabulary
        return self.changed(
            vocabulary=(text.vocabulary or FURTHER_TOKENS) - FURTHER_TOKENS,
            length=text.sizes[0] or self.length,
            classes=(named or 1) - 1,
            several=several,
        )

    def completed(self, made: TensorSpec) -> Self:
        """Return a copy with the classes of the data, where the model that it begins from knew none."""
        if self.classes or CLASS not in made:
            return self
        bound = self.bound_to(made)
        return self.changed(classes=bound.classes, several=bound.several)

    def head_count(self) -> int:
        """Return the weights of the head, of the further readers, and of the table of runs."""
        further = (self.readers - 1) * (self.encoder_count() + head_weights(self, self.classes))
        return head_weights(self, self.classes) + further + (self.gram_rows * self.classes if self.grams else 0)

    def training_operations(self) -> float:
        """Return operations to train every reader on one text of full length."""
        return self.readers * self.text_operations()

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one text."""
        return self.readers * super().activation_bytes()

    def head_operations(self) -> float:
        """Return the multiplications of the head for one text."""
        return float(self.width * (self.width + self.classes) + self.grams * self.length * self.classes)
