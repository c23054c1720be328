"""Captions as rows of tokens of one length: pairs of bytes learned from the captions, padding at the end, and a token for "no caption".

Captions are read as people write prompts: compatibility forms, case and runs of spaces do not count ("A red  Fox" is "a red fox"), and
each begins with a space, so that a word is the same token wherever it stands. Nothing is ever unknown, in any script. A training
caption that is too long is cut off; a prompt that is too long is refused by ``encode_prompt``, because what it says at its end would
be ignored.
"""

import unicodedata
from collections.abc import Iterator
from typing import Self

import numpy as np

from makar.codecs.text import TextCodec
from makar.codecs.text_config import BpeCodecConfig
from makar.codecs.tokenizer_codec import TOKENIZER_FILE
from makar.data.record import Record
from makar.errors import ConfigError, EmptyDataError, UnsupportedError
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN

RESERVED = 2
"""Tokens before those of the text: padding, and no caption."""

LONGEST_PROMPT_CHARACTERS = 100_000


class CaptionTokens:
    """Turns captions into rows of tokens.

    Args:
        text: The fitted codec of their text.
        length: Tokens of a row.
    """

    def __init__(self, text: TextCodec, *, length: int) -> None:
        self._text = text
        self.length = length

    @classmethod
    def fit(cls, captions: Iterator[str], *, length: int, vocabulary: int) -> Self:
        """Learn pairs of bytes from captions.

        Raises:
            ConfigError: There is no caption.
        """
        records = (
            Record(id="", medium="text", content=normal(caption), document="", source="", split="train")
            for caption in captions
        )
        try:
            return cls(TextCodec.fit(BpeCodecConfig(vocabulary_size=vocabulary), records), length=length)
        except EmptyDataError as error:
            raise ConfigError(
                "no image has a caption",
                expected="a .txt beside every image, or a table with a column of captions",
                do='use the recipe "image"',
            ) from error

    @classmethod
    def from_file(cls, tokenizer: bytes, *, length: int, vocabulary: int) -> Self:
        """Rebuild from what ``file`` returned.

        Raises:
            ArtifactError: It is no tokenizer.
        """
        config = BpeCodecConfig(vocabulary_size=vocabulary)
        return cls(TextCodec.from_files(config, {TOKENIZER_FILE: tokenizer}), length=length)

    def file(self) -> bytes:
        """Return what was learned, as a ``tokenizer.json``."""
        return self._text.tokenizer_json()

    @property
    def vocabulary(self) -> int:
        """Number of different tokens, the reserved ones included."""
        return self._text.vocabulary + RESERVED

    def encode(self, caption: str | None) -> np.ndarray:
        """Return one row of tokens, int64 ``[length]``; ``None`` and blank text are no caption."""
        return self._row(self._tokens(caption or "")[: self.length])

    def encode_prompt(self, prompt: str) -> np.ndarray:
        """Return one row of tokens, int64 ``[length]``, of all that a prompt says.

        Raises:
            UnsupportedError: The prompt has more tokens than a row.
        """
        tokens = self._tokens(prompt) if len(prompt) <= LONGEST_PROMPT_CHARACTERS else None
        if tokens is None or len(tokens) > self.length:
            found = f"{len(prompt)} characters" if tokens is None else f"{len(tokens)} tokens"
            raise UnsupportedError(
                f"a prompt of {found}", expected=f"at most {self.length} tokens", do="say it in fewer words"
            )
        return self._row(tokens)

    def decode(self, row: np.ndarray) -> str:
        """Return what a row of tokens says, as it is read; empty for no caption."""
        tokens = np.asarray(row, np.int64)
        return self._text.decode_tokens(tokens[tokens >= RESERVED] - RESERVED).strip()

    def _tokens(self, caption: str) -> np.ndarray:
        text = normal(caption)
        return self._text.encode_text(text) + RESERVED if text else np.zeros(0, np.int64)

    def _row(self, tokens: np.ndarray) -> np.ndarray:
        row = np.full(self.length, PADDING_TOKEN, np.int64)
        if len(tokens):
            row[: len(tokens)] = tokens
        else:
            row[0] = NO_CAPTION_TOKEN
        return row


def normal(caption: str) -> str:
    """Return a caption with what does not count removed and a space before it; empty when nothing is left.

    >>> normal("A  red\\u00a0Fox")
    ' a red fox'
    """
    words = unicodedata.normalize("NFKC", caption).casefold().split()
    return "".join(f" {word}" for word in words)
