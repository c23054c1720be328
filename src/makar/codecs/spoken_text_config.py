"""Settings of recordings with the text that is spoken in them, for models that read and speak by themselves; no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.worded_sound_config import BYTE_TOKENS, MOST_SAMPLES_A_SECOND
from makar.config import setting
from makar.tensor_spec import CAPTION, CLASS, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpokenTextCodecConfig(CodecConfig):
    """Settings of the codec of speech as samples and text as bytes."""

    kind: ClassVar[str] = "spoken-text"
    target: ClassVar[str] = "makar.codecs.spoken_text:SpokenTextCodec"
    media: ClassVar[tuple[str, ...]] = ("sound",)

    rate_hz: int = setting(16_000, meaning="samples a second", unit="Hz", minimum=1000, maximum=MOST_SAMPLES_A_SECOND)
    voices: tuple[str, ...] = setting((), meaning="names of its voices; none where there is one")
    part_characters: int = setting(
        200, meaning="characters that are spoken at once; what is longer is parted", minimum=16, maximum=4096
    )

    def spec(self) -> TensorSpec:
        """Return what the codec makes: samples from -1 to 1, a row of bytes, and where there are voices which."""
        slots = {
            TARGET: Slot(kind="values", axes=("samples", "channels"), sizes=(None, 1)),
            CAPTION: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=BYTE_TOKENS),
        }
        if self.voices:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(self.voices))
        return TensorSpec(slots)
