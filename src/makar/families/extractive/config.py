"""Sizes of a model that picks sentences, and the weights that it begins with, which need no training; no torch."""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.codecs.summary_config import (
    SENTENCE_FEATURES,
    USUAL_SENTENCES,
    USUAL_SUMMARY,
    USUAL_TEXT,
    summary_spec,
)
from makar.config import setting
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import TARGET, TensorSpec

SALIENCE = "salience"
"""What is predicted: how much each sentence of a text says of the whole."""

UNTRAINED: dict[str, float] = {
    "central": 0.5,
    "centroid": 0.25,
    "like_first": 0.25,
    "first": 0.5,
    "early": 0.5,
    "last": 0.5,
    "new": 0.5,
    "own": -0.5,
}
"""Weights by what is seen of a sentence; the others are 0. Found by hill climbing in steps of a quarter for the least certain gain over the
first three sentences, of ROUGE-1, 2 and L, on the validation parts of dialogsum and of the sections of fairytaleqa (docs/log.md,
2026-11-29)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractiveConfig(FamilyConfig):
    """A weight for everything that is seen of a sentence, and beside them a small network of the same."""

    kind: ClassVar[str] = "extractive"
    target: ClassVar[str] = "makar.families.extractive.family:ExtractiveFamily"
    item_name: ClassVar[str] = "byte"
    batching: ClassVar[Literal["items", "windows", "ragged"]] = "ragged"
    predictions: ClassVar[tuple[str, ...]] = (SALIENCE,)

    hidden: int = setting(
        16, meaning="channels of the network beside the weights; 0 has none", minimum=0, maximum=1 << 20
    )
    summary_bytes: int = setting(
        0, meaning="usual length of a summary; 0 takes it from the codec", unit="bytes", minimum=0, maximum=1 << 20
    )
    fixed: bool = setting(False, meaning="whether the weights are those that need no training, and nothing is learned")

    @property
    def window_length(self) -> int:
        """Usual bytes of a summary: what the examples are counted in."""
        return self.summary_bytes or USUAL_SUMMARY

    @property
    def tensors_name(self) -> str:
        """File with the tensors; none where the weights stand here."""
        return "" if self.fixed else "model.safetensors"

    def accepts(self) -> TensorSpec:
        """Return text, summary, what is seen of the sentences and which belong into the summary."""
        return summary_spec(sentences=USUAL_SENTENCES, text=USUAL_TEXT, summary=self.window_length)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy that knows how long summaries usually are."""
        return self.changed(summary_bytes=made[TARGET].usual or USUAL_SUMMARY)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy with about so many parameters."""
        features = len(SENTENCE_FEATURES)
        return self.changed(hidden=max(0, round((parameters - features) / (features + 1))))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        features = len(SENTENCE_FEATURES)
        return 0 if self.fixed else features + self.hidden * (features + 1)

    def training_operations(self) -> float:
        """Return operations a byte of a summary, forward and backward."""
        return 6.0 * USUAL_SENTENCES * max(1, self.parameter_count()) / self.window_length

    def activation_bytes(self) -> float:
        """Return the bytes that training keeps for one text."""
        return 4.0 * USUAL_SENTENCES * (len(SENTENCE_FEATURES) + 3 * self.hidden + 4)
