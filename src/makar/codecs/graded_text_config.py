"""Settings of the codec of texts with numbers; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from makar.codecs.text_rows_config import TextRowsConfig
from makar.tensor_spec import SCORE, TARGET, Slot, TensorSpec

FARTHEST = 10.0
"""Deviations from the mean beyond which a number is not told from others."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradedTextCodecConfig(TextRowsConfig):
    """Texts as rows of byte-level pairs, each with a number: stars, a score."""

    kind: ClassVar[str] = "graded-text"
    target: ClassVar[str] = "makar.codecs.graded_text:GradedTextCodec"
    task: ClassVar[str] = "grade"

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return rows of a usual length, each with a number."""
        del labels
        return TensorSpec({TARGET: self.usual_text(), SCORE: score_slot()})


def score_slot() -> Slot:
    """Return the slot of a number, in deviations from the mean of the training texts."""
    return Slot(kind="values", axes=(), sizes=(), minimum=-FARTHEST, maximum=FARTHEST)
