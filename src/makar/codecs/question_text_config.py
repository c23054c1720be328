"""Settings of the codec of questions about passages; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Self

from makar.codecs.text_config import LEAST_VOCABULARY
from makar.codecs.text_rows_config import FURTHER, TextRowsConfig, text_slot
from makar.config import setting
from makar.tensor_spec import ANSWER, SPAN, TARGET, Slot, TensorSpec

USUAL_LENGTH = 256
PLACES = 4
"""Places of the answer in a passage that are learned at most."""

ANSWER_BYTES = 384
"""Of all right answers to a question."""

UNKNOWN, GIVEN, NONE = 0, 1, 2
"""What is known of the answer: it is not in the passage word for word, it is there, or the data say that there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuestionTextCodecConfig(TextRowsConfig):
    """A question and a passage as one row of byte-level pairs, with the places of the answer in it."""

    kind: ClassVar[str] = "question-text"
    target: ClassVar[str] = "makar.codecs.question_text:QuestionTextCodec"
    task: ClassVar[str] = "answer"

    length: int = setting(
        0,
        meaning="tokens of question and passage that are kept; 0 is enough for 99 % of them, 4096 at most",
        minimum=0,
        maximum=1 << 15,
    )

    def begun(self, *, vocabulary: int, length: int) -> Self:
        """Return the settings with the tokens of another model; a passage may be longer than what that reads at once."""
        del length
        return self.changed(vocabulary_size=max(LEAST_VOCABULARY, vocabulary))

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return rows of a usual length."""
        del labels
        return spec_of(tokens=self.vocabulary_size + FURTHER, length=self.length or USUAL_LENGTH)


def spec_of(*, tokens: int, length: int) -> TensorSpec:
    """Return the slots of questions about passages.

    Args:
        tokens: Different tokens.
        length: Tokens of a row.
    """
    return TensorSpec(
        {
            TARGET: text_slot(tokens, length),
            # Where the passage begins, what is known of the answer, its first and last tokens, from 1 on; 0 is no place.
            SPAN: Slot(kind="tokens", axes=("places",), sizes=(2 + 2 * PLACES,), vocabulary=1 << 16),
            ANSWER: Slot(kind="tokens", axes=("bytes",), sizes=(ANSWER_BYTES,), vocabulary=256),
        }
    )
