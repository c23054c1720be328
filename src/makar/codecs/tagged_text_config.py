"""Settings of the codec of words with tags; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from makar.codecs.text_rows_config import FURTHER, USUAL_LENGTH, TextRowsConfig, text_slot
from makar.config import setting
from makar.tensor_spec import FEATURES, PLACES, TAGS, TARGET, Slot, TensorSpec

FEATURE_ROWS, FEATURE_COUNT = 1 << 18, 24
"""Different features of a word, and how many each word has; see ``makar.codecs.word_features``."""

MARKS = "marks"
"""Axis of tags that mark entities."""

USUAL_WORDS, USUAL_TAGS = 40, 9


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggedTextCodecConfig(TextRowsConfig):
    """Words with a tag each, as rows of byte-level pairs with the place of every word, and with what can be seen of each."""

    kind: ClassVar[str] = "tagged-text"
    target: ClassVar[str] = "makar.codecs.tagged_text:TaggedTextCodec"
    task: ClassVar[str] = "tag"

    words: int = setting(
        0,
        meaning="words of a text; 0 is enough for 99 % of the training texts, 512 at most",
        minimum=0,
        maximum=1 << 16,
    )

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return rows of a usual length."""
        del labels
        return spec_of(
            tokens=self.vocabulary_size + FURTHER,
            length=self.length or USUAL_LENGTH,
            words=self.words or USUAL_WORDS,
            tags=USUAL_TAGS,
            entities=True,
        )


def spec_of(*, tokens: int, length: int, words: int, tags: int, entities: bool) -> TensorSpec:
    """Return the slots of texts with tags.

    Args:
        tokens: Different tokens.
        length: Tokens of a row.
        words: Words of a row.
        tags: Different tags.
        entities: Whether they mark entities: outside, and begin and inside of each kind, in this order.
    """
    axis = MARKS if entities else "words"
    return TensorSpec(
        {
            TARGET: text_slot(tokens, length),
            PLACES: Slot(kind="tokens", axes=("words",), sizes=(words,), vocabulary=length + 1),
            # One more for a tag that was not learned, and for no word.
            TAGS: Slot(kind="tokens", axes=(axis,), sizes=(words,), vocabulary=tags + 1),
            FEATURES: Slot(
                kind="tokens", axes=("words", "features"), sizes=(words, FEATURE_COUNT), vocabulary=FEATURE_ROWS
            ),
        }
    )
