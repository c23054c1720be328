"""Settings of clips with the words that describe them, for models that bring a reader of their own; no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.video_config import HIGHEST_RATE_HZ
from makar.codecs.worded_sound_config import BYTE_TOKENS
from makar.config import setting
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordedVideoCodecConfig(CodecConfig):
    """Settings of the codec of clips of any length and size and words as bytes."""

    kind: ClassVar[str] = "worded-video"
    target: ClassVar[str] = "makar.codecs.worded_video:WordedVideoCodec"
    media: ClassVar[tuple[str, ...]] = ("video",)

    rate_hz: float = setting(16.0, meaning="frames a second", unit="Hz", minimum=1.0, maximum=HIGHEST_RATE_HZ)
    caption_bytes: int = setting(
        4096, meaning="UTF-8 bytes of what is asked for; more is refused", unit="bytes", minimum=16, maximum=1 << 20
    )

    def spec(self) -> TensorSpec:
        """Return what the codec makes: pixels from -1 to 1, and a row of bytes."""
        axes = ("frames", "height", "width", "channels")
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=axes, sizes=(None, None, None, 3)),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=BYTE_TOKENS),
            }
        )
