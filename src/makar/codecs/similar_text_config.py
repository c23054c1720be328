"""Settings of the codec of texts that are to lie near each other: pairs of them, or any text, whose parts are alike; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Self

from makar.codecs.text_rows_config import TextRowsConfig, text_slot
from makar.config import setting
from makar.tensor_spec import SCORE, SOURCE, TARGET, Slot, TensorSpec

PAIRS, TEXT = "pairs", "text"
PAIR_TASKS = ("rewrite", "answer", "compare")
"""Tasks of which each row has two texts that belong together."""

USUAL_LENGTH = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimilarTextCodecConfig(TextRowsConfig):
    """Pairs of texts as two rows of byte-level pairs, with how alike they are; or any text as one stream."""

    kind: ClassVar[str] = "similar-text"
    target: ClassVar[str] = "makar.codecs.similar_text:SimilarTextCodec"

    learns: str = setting(
        PAIRS, meaning="whether rows are pairs of texts, or text of which parts are compared", choices=(PAIRS, TEXT)
    )

    def for_task(self, task: str) -> Self:
        """Return the settings for pairs where rows have two texts, otherwise for any text."""
        return self.changed(learns=PAIRS if task in PAIR_TASKS else TEXT)

    @property
    def needed_task(self) -> str | None:
        """Any, or none: see ``for_task``."""
        return None

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec | None:
        """Return pairs of rows of a usual length; nothing of a stream."""
        del labels
        row = self.usual_text()
        return pair_spec(row.vocabulary or 2, row.sizes[0] or USUAL_LENGTH) if self.learns == PAIRS else None


def pair_spec(tokens: int, length: int) -> TensorSpec:
    """Return the slots of pairs.

    Args:
        tokens: Different tokens.
        length: Tokens of a row.
    """
    row = text_slot(tokens, length)
    return TensorSpec(
        {SOURCE: row, TARGET: row, SCORE: Slot(kind="values", axes=(), sizes=(), minimum=0.0, maximum=1.0)}
    )
