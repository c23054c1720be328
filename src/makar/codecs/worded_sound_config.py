"""Settings of sounds with the words that belong to them, for models that bring a reader of their own; no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

BYTE_TOKENS = 258
"""Padding, no words, and the 256 bytes."""
MOST_SAMPLES_A_SECOND = 192_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordedSoundCodecConfig(CodecConfig):
    """Settings of the codec of sounds as samples and words as bytes."""

    kind: ClassVar[str] = "worded-sound"
    target: ClassVar[str] = "makar.codecs.worded_sound:WordedSoundCodec"
    media: ClassVar[tuple[str, ...]] = ("sound",)

    rate_hz: int = setting(16_000, meaning="samples a second", unit="Hz", minimum=1000, maximum=MOST_SAMPLES_A_SECOND)
    channels: int = setting(1, meaning="channels; more or fewer in the data are mixed", minimum=1, maximum=2)
    caption_bytes: int = setting(
        4096, meaning="UTF-8 bytes of what is asked for; more is refused", unit="bytes", minimum=16, maximum=1 << 20
    )

    def spec(self) -> TensorSpec:
        """Return what the codec makes: samples from -1 to 1, and a row of bytes."""
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("samples", "channels"), sizes=(None, self.channels)),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=BYTE_TOKENS),
            }
        )
