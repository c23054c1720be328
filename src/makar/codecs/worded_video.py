"""Clips in colour, as long and as large as they are, and their descriptions as plain UTF-8 bytes, for a pretrained model that reads words.

Nothing is fitted: the model was trained elsewhere, and how many frames it makes of which size is asked of it.
"""

import numpy as np

from makar.codecs.codec import UnlearnedCodec
from makar.codecs.image_fit import with_channels
from makar.codecs.worded_sound import asked_row, byte_row
from makar.codecs.worded_video_config import WordedVideoCodecConfig
from makar.data.clip import Clip
from makar.data.record import Record
from makar.tensor_spec import CAPTION, TARGET, TensorSpec


class WordedVideoCodec(UnlearnedCodec):
    """Clips and their words.

    Args:
        config: The settings, which say everything.
    """

    config: WordedVideoCodecConfig

    @property
    def spec(self) -> TensorSpec:
        """Pixels from -1 to 1, and a row of bytes."""
        return self.config.spec()

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[frames, height, width, 3]`` and ``caption`` uint16 ``[length]``; nothing without words."""
        if record.content is None or not (record.caption or "").strip():
            return {}
        even = record.content.at_rate(self.config.rate_hz)
        frames = np.stack([with_channels(frame, 3) for frame in even.frames])
        return {TARGET: frames, CAPTION: byte_row(record.caption or "").astype(np.uint16)}

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the bytes of what is asked for as tokens, int64 ``[length]``.

        Raises:
            UnsupportedError: It is too long.
        """
        return asked_row(prompt, most=self.config.caption_bytes)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1, and bytes into int64."""
        return values.astype(np.float32) * (2 / 255) - 1 if slot == TARGET else values.astype(np.int64)

    def decode(self, slots: dict[str, np.ndarray]) -> Clip:
        """Return the clip of ``target`` ``[frames, height, width, 3]`` in -1..1; values outside are clipped."""
        values = np.clip(slots[TARGET], -1, 1)
        return Clip(np.rint((values + 1) * 127.5).astype(np.uint8), self.config.rate_hz)
