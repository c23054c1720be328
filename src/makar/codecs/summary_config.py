"""Settings of the codec of texts and their summaries; no torch. There are none: a text is bytes, and a sentence is what is seen of it."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.tensor_spec import CHOSEN, FEATURES, SOURCE, TARGET, Slot, TensorSpec

SENTENCE_FEATURES = (
    "exists",
    "first",
    "early",
    "last",
    "central",
    "centroid",
    "long",
    "longest",
    "like_first",
    "names",
    "numbers",
    "question",
    "own",
    "new",
)
"""What is seen of a sentence (``sentence_features``), each from 0 to 1.

It exists. Its place: one over its number; the share of the text after it; one over its number from the end. Its rank in the walk against
the highest; its cosine to the mean. The logarithm of its words; its words against those of the longest. Its cosine to the first sentence.
The shares of its words with a capital, and with digits; whether it asks. The shares of its words that no other has, and that none before
it has.
"""

BYTE_TOKENS = 257
USUAL_SENTENCES, USUAL_TEXT, USUAL_SUMMARY = 12, 800, 120
"""Of a text, before it is known: its sentences, its bytes, those of its summary."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SummaryCodecConfig(CodecConfig):
    """Texts and summaries as bytes, and of each sentence of a text what is seen of it and whether it belongs into the summary."""

    kind: ClassVar[str] = "summary"
    target: ClassVar[str] = "makar.codecs.summary:SummaryCodec"
    media: ClassVar[tuple[str, ...]] = ("text",)

    @property
    def needed_task(self) -> str:
        """Rows must be pairs of texts."""
        return "rewrite"

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return texts of usual length."""
        del labels
        return summary_spec(sentences=USUAL_SENTENCES, text=USUAL_TEXT, summary=USUAL_SUMMARY)


def summary_spec(*, sentences: int, text: int, summary: int) -> TensorSpec:
    """Return the slots of a text with its summary.

    Args:
        sentences: Usual number of sentences.
        text: Usual bytes of a text.
        summary: Usual bytes of a summary.
    """
    letters = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=BYTE_TOKENS, usual=text)
    return TensorSpec(
        {
            SOURCE: letters,
            TARGET: dataclasses.replace(letters, usual=summary),
            FEATURES: Slot(
                kind="values",
                axes=("length",),
                sizes=(None,),
                minimum=0.0,
                maximum=1.0,
                usual=sentences * len(SENTENCE_FEATURES),
            ),
            CHOSEN: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=2, usual=sentences),
        }
    )
