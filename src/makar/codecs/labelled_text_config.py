"""Settings of the codec of texts with classes: how many tokens there are, and how many a text has; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.text_config import LEAST_VOCABULARY
from makar.config import setting
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

USUAL_LENGTH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledTextCodecConfig(CodecConfig):
    """Texts as rows of byte-level pairs, each with its class, or with the labels that it bears."""

    kind: ClassVar[str] = "labelled-text"
    target: ClassVar[str] = "makar.codecs.labelled_text:LabelledTextCodec"
    media: ClassVar[tuple[str, ...]] = ("text",)

    vocabulary_size: int = setting(
        4096,
        meaning="tokens, the 256 bytes and those that are no text included",
        minimum=LEAST_VOCABULARY,
        maximum=1_000_000,
    )
    length: int = setting(
        0,
        meaning="tokens of a text; 0 is enough for 99 % of the training texts, 512 at most",
        minimum=0,
        maximum=1 << 16,
    )

    @property
    def needed_task(self) -> str:
        """Rows must be labelled for the task classify."""
        return "classify"

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return rows of a usual length, each with one of the labels."""
        length = self.length or USUAL_LENGTH
        return TensorSpec(
            {
                TARGET: Slot(kind="tokens", axes=("length",), sizes=(length,), vocabulary=self.vocabulary_size + 2),
                CLASS: Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(labels) + 1),
            }
        )
