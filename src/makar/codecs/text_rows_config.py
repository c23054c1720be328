"""Settings that every codec of texts as rows of tokens shares: how many tokens there are, how many a row has; no torch."""

import dataclasses
from typing import ClassVar, Self

from makar.codecs.codec import CodecConfig
from makar.codecs.text_config import LEAST_VOCABULARY
from makar.config import setting
from makar.tensor_spec import Slot

USUAL_LENGTH = 64
FURTHER = 2
"""Tokens after those of the text: hidden, and padding."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextRowsConfig(CodecConfig):
    """Texts as rows of byte-level pairs."""

    media: ClassVar[tuple[str, ...]] = ("text",)
    task: ClassVar[str]
    """What rows must be labelled for."""

    vocabulary_size: int = setting(
        4096,
        meaning="tokens, the 256 bytes and those that are no text included",
        minimum=LEAST_VOCABULARY,
        maximum=1_000_000,
    )
    length: int = setting(
        0,
        meaning="tokens of a row; 0 is enough for 99 % of the training texts, 512 at most",
        minimum=0,
        maximum=1 << 16,
    )

    @property
    def needed_task(self) -> str | None:
        """The task that rows must be labelled for."""
        return self.task

    def begun(self, *, vocabulary: int, length: int) -> Self:
        """Return the settings where the tokens are those of another model.

        Args:
            vocabulary: Its tokens.
            length: Tokens that it reads at once.
        """
        return self.changed(vocabulary_size=max(LEAST_VOCABULARY, vocabulary), length=length)

    def usual_text(self) -> Slot:
        """Return the slot of a row before the data are known."""
        return text_slot(self.vocabulary_size + FURTHER, self.length or USUAL_LENGTH)


def text_slot(tokens: int, length: int) -> Slot:
    """Return the slot of rows of tokens.

    Args:
        tokens: Different ones, the two further ones included.
        length: Tokens of a row.
    """
    return Slot(kind="tokens", axes=("length",), sizes=(length,), vocabulary=tokens)
