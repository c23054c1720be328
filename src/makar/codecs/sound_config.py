"""Settings of the sound codec: how the picture of a sound is taken, and whether labels and captions are used."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.image_config import ImageCodecConfig, estimated_slots
from makar.codecs.text_config import LEAST_VOCABULARY
from makar.config import setting
from makar.data.sound_reader import PIECE_SECONDS
from makar.tensor_spec import TensorSpec

FRAME_STEP = 8
MOST_FRAMES = 256
HOP_SECONDS = 0.016
HIGHEST_RATE_HZ = 22_050
NARROW_RATE_HZ = 12_000
FEW_MELS, MANY_MELS = 64, 80
"""Bands below and from the narrow rate on: what speech is usually seen in."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundCodecConfig(CodecConfig):
    """Settings of the sound codec."""

    kind: ClassVar[str] = "sound"
    target: ClassVar[str] = "makar.codecs.sound:SoundCodec"
    media: ClassVar[tuple[str, ...]] = ("sound",)

    rate_hz: int = setting(16_000, meaning="samples a second", unit="Hz", minimum=1000, maximum=48_000)
    hop: int = setting(
        256,
        meaning="samples from one frame of the picture to the next; a window has four times as many",
        minimum=16,
        maximum=4096,
    )
    mels: int = setting(80, meaning="bands of pitch, which are the rows of the picture", minimum=16, maximum=256)
    frames: int = setting(
        64,
        meaning="frames of the picture, its columns; what is longer is cut off, what is shorter is followed by silence",
        minimum=16,
        maximum=MOST_FRAMES,
    )
    loudest_db: float = setting(
        0.0,
        meaning="loudness of white in the picture, black is 80 dB below; 0 takes the loudest of the data",
        unit="dB of a full-scale sine",
        minimum=-80.0,
        maximum=40.0,
    )
    use_labels: bool = setting(False, meaning="learn the class of every sound, so that one can be asked for")
    use_captions: bool = setting(False, meaning="learn what captions say, so that a sound can be described")
    caption_length: int = setting(
        32,
        meaning="tokens of a caption; what is longer is cut off in training and refused as a prompt",
        minimum=1,
        maximum=512,
    )
    caption_vocabulary: int = setting(
        2048,
        meaning="different caption tokens at most, the 256 bytes included",
        minimum=LEAST_VOCABULARY,
        maximum=100_000,
    )

    @property
    def seconds(self) -> float:
        """How long a sound is."""
        return self.frames * self.hop / self.rate_hz

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        return TensorSpec(estimated_slots(self.picture(), (1, self.mels, self.frames), labels))

    def picture(self) -> ImageCodecConfig:
        """Return the settings of the codec of the pictures."""
        return ImageCodecConfig(
            height=self.mels,
            width=self.frames,
            channels=1,
            use_labels=self.use_labels,
            use_captions=self.use_captions,
            caption_length=self.caption_length,
            caption_vocabulary=self.caption_vocabulary,
        )


def choose_sound_codec(sizes: Mapping[str, Any], codec: SoundCodecConfig) -> SoundCodecConfig:
    """Return the codec for a data set: the rate that most of it has, and as long as all but the longest twentieth of it.

    Args:
        sizes: What the inspection found of rates and durations.
        codec: The codec of the recipe, whose other settings stay.
    """
    rate = usual_rate_hz(sizes, highest=HIGHEST_RATE_HZ)
    hop = usual_hop(rate)
    longest = min(float(sizes["seconds"]["most_but_5%"]), PIECE_SECONDS)
    while longest * rate / hop > MOST_FRAMES:
        hop *= 2
    frames = math.ceil(longest * rate / hop / FRAME_STEP) * FRAME_STEP
    return codec.changed(rate_hz=rate, hop=hop, mels=usual_mels(rate), frames=max(16, min(MOST_FRAMES, frames)))


def usual_rate_hz(sizes: Mapping[str, Any], *, highest: int) -> int:
    """Return the rate that most of the data has, within bounds."""
    rates = {int(rate): int(count) for rate, count in sizes["rates_hz"].items()}
    return max(1000, min(highest, max(rates, key=lambda one: (rates[one], one))))


def usual_hop(rate_hz: int) -> int:
    """Return the power of two samples that is nearest to 16 ms."""
    hop: int = 2 ** round(math.log2(HOP_SECONDS * rate_hz))
    return hop


def usual_mels(rate_hz: int) -> int:
    """Return how many bands are told apart at a rate."""
    return FEW_MELS if rate_hz < NARROW_RATE_HZ else MANY_MELS
