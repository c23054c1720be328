"""Texts as rows of tokens of one length, for networks that read a whole text at once: byte-level pairs, and two further tokens.

A text is read as if a space stood before it, so that a word is the same token wherever it stands. Nothing is lost but what does not fit:
a row is cut off at its length, and ``windows`` gives the whole of a text in several rows. After the vocabulary come a token that hides
another and one that fills a row up, as in ``makar.families.encoder``.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from makar.codecs.text import TextCodec
from makar.codecs.text_config import BpeCodecConfig
from makar.codecs.text_rows_config import FURTHER
from makar.codecs.tokenizer_codec import TOKENIZER_FILE
from makar.data.record import Record
from makar.errors import ArtifactError

FITTED_SHARE = 0.99
"""Share of the texts that the length of a row is enough for, where the data choose it."""

LONGEST_FITTED = 512
ROUNDED_TO = 8
LOOKED_AT = 5000
"""Texts whose tokens are counted to choose a length."""

SAMPLE_BYTES = 20_000_000


class TextRows:
    """Turns texts into rows.

    Args:
        text: The fitted codec of the text.
        length: Tokens of a row.
    """

    def __init__(self, text: TextCodec, *, length: int) -> None:
        self.text, self.length = text, length

    @classmethod
    def fit(cls, texts: Sequence[str], *, vocabulary: int, length: int, doubled: int = 1) -> Self:
        """Learn pairs of bytes from texts.

        Args:
            texts: The training texts, or enough of them.
            vocabulary: Tokens of the text.
            length: Tokens of a row; 0 lets the texts choose, for 99 % of them and 512 at most.
            doubled: Factor on the length that the texts choose.

        Raises:
            EmptyDataError: There is no text.
        """
        fitted = TextCodec.fit(BpeCodecConfig(vocabulary_size=vocabulary), _records(texts))
        return cls(fitted, length=length or doubled * fitted_length(fitted, texts))

    @classmethod
    def from_files(cls, files: dict[str, bytes], *, vocabulary: int, length: int) -> Self:
        """Rebuild from the files of a codec.

        Raises:
            ArtifactError: There is no tokenizer, or no length.
        """
        if not length:
            raise ArtifactError("the codec says no length of its rows", expected="a codec that was fitted")
        return cls(TextCodec.from_files(BpeCodecConfig(vocabulary_size=vocabulary), files), length=length)

    def file(self) -> dict[str, bytes]:
        """Return what was learned."""
        return {TOKENIZER_FILE: self.text.tokenizer_json()}

    @property
    def vocabulary(self) -> int:
        """Number of different tokens, the two further ones included."""
        return self.text.vocabulary + FURTHER

    @property
    def mask_token(self) -> int:
        """The token that hides another."""
        return self.text.vocabulary

    @property
    def padding_token(self) -> int:
        """The token that stands for nothing."""
        return self.text.vocabulary + 1

    def tokens(self, text: str) -> np.ndarray:
        """Return the tokens of a whole text, int64 ``[length]``."""
        return self.text.encode_text(" " + text)

    def row(self, tokens: np.ndarray) -> np.ndarray:
        """Return tokens as one row, cut off or filled up, uint16 or uint32 ``[length]``."""
        row = np.full(self.length, self.padding_token, np.uint16 if self.vocabulary <= 1 << 16 else np.uint32)
        kept = tokens[: self.length]
        row[: len(kept)] = kept
        return row

    def windows(self, text: str) -> np.ndarray:
        """Return a text as rows that overlap by half, int64 ``[windows, length]``; one row where it fits."""
        tokens = self.tokens(text)
        step = max(1, self.length // 2)
        starts = range(0, max(1, len(tokens) - self.length + step), step)
        return np.stack([self.row(tokens[start : start + self.length]) for start in starts]).astype(np.int64)

    def decode(self, row: np.ndarray) -> str:
        """Return the text of a row."""
        tokens = np.asarray(row, np.int64)
        return self.text.decode_tokens(tokens[tokens < self.text.vocabulary]).removeprefix(" ")


def fitted_length(text: TextCodec, texts: Sequence[str]) -> int:
    """Return a length of rows that is enough for most of some texts."""
    every = max(1, len(texts) // LOOKED_AT)
    counts = [len(text.encode_text(" " + one)) for one in texts[::every]]
    wanted = float(np.quantile(counts, FITTED_SHARE)) if counts else 1.0
    return int(min(LONGEST_FITTED, max(ROUNDED_TO, math.ceil(wanted / ROUNDED_TO) * ROUNDED_TO)))


def share_cut_off(rows: TextRows, texts: Sequence[str]) -> float:
    """Return the share of some texts that do not fit into a row."""
    every = max(1, len(texts) // LOOKED_AT)
    looked_at = texts[::every]
    return sum(len(rows.tokens(one)) > rows.length for one in looked_at) / max(1, len(looked_at))


def _records(texts: Sequence[str]) -> Iterator[Record]:
    for text in texts:
        yield Record(id="", medium="text", content=" " + text, document="", source="", split="train")
