"""Colour images and their descriptions as plain UTF-8 bytes, so that a pretrained model reads them with its own tokenizers.

Nothing is fitted: the model was trained elsewhere and knows its words. A description is kept letter for letter, in one row of bytes with
padding at its end; the family turns it back into text. A training description that is too long is cut off, a prompt is refused. The
sampler may answer in any size, and ``decode`` takes it as it comes.
"""

from typing import Any

import numpy as np

from makar.codecs.codec import UnlearnedCodec
from makar.codecs.image_fit import fit_image, with_channels
from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.data.record import Record
from makar.errors import UnsupportedError
from makar.tensor_spec import CAPTION, NO_CAPTION_TOKEN, PADDING_TOKEN, TARGET, TensorSpec

FIRST_BYTE = 2
"""Token of the byte 0; before it are padding and "no caption"."""


class PromptedImageCodec(UnlearnedCodec):
    """Images and their words.

    Args:
        config: The settings, which say everything.
    """

    config: PromptedImageCodecConfig

    @property
    def spec(self) -> TensorSpec:
        """Pixels from -1 to 1, and a row of bytes."""
        return self.config.spec()

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[3, height, width]`` and ``caption`` uint16 ``[caption_bytes]``; empty without pixels."""
        pixels = record.content
        if pixels is None or 0 in pixels.shape:
            return {}
        fit: Any = self.config.fit
        fitted = with_channels(fit_image(pixels, height=self.config.height, width=self.config.width, fit=fit), 3)
        words = record.caption if record.caption and record.caption.strip() else self.config.caption
        row = self._row(words.encode()[: self.config.caption_bytes])
        return {TARGET: np.ascontiguousarray(fitted.transpose(2, 0, 1)), CAPTION: row.astype(np.uint16)}

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the bytes of a prompt as tokens, int64 ``[caption_bytes]``.

        Raises:
            UnsupportedError: The prompt is too long.
        """
        content = prompt.encode()
        if len(content) > self.config.caption_bytes:
            raise UnsupportedError(
                f"a prompt of {len(prompt)} characters, {len(content)} bytes",
                expected=f"at most {self.config.caption_bytes} bytes",
                do="say it in fewer words",
            )
        return self._row(content)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1, and bytes into int64."""
        return values.astype(np.float32) * (2 / 255) - 1 if slot == TARGET else values.astype(np.int64)

    def decode(self, slots: dict[str, np.ndarray]) -> np.ndarray:
        """Return uint8 ``[height, width, 3]`` from ``target`` in -1..1; values outside are clipped."""
        values = np.clip(slots[TARGET], -1, 1).transpose(1, 2, 0)
        return np.rint((values + 1) * 127.5).astype(np.uint8)

    def _row(self, content: bytes) -> np.ndarray:
        row = np.full(self.config.caption_bytes, PADDING_TOKEN, np.int64)
        if content:
            row[: len(content)] = np.frombuffer(content, np.uint8).astype(np.int64) + FIRST_BYTE
        else:
            row[0] = NO_CAPTION_TOKEN
        return row


def words_of(row: np.ndarray) -> str:
    """Return the text of a row of tokens; empty for no caption.

    >>> words_of(np.array([99, 100, 0, 0]))
    'ab'
    """
    return bytes(int(token) - FIRST_BYTE for token in row if token >= FIRST_BYTE).decode("utf-8", errors="ignore")
