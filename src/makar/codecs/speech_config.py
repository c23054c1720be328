"""Settings of the codec of speech: a sound whose words are known, as its picture and the units that are spoken in each frame of it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.sound_config import FRAME_STEP, usual_hop, usual_mels, usual_rate_hz
from makar.codecs.units import KINDS
from makar.config import setting
from makar.tensor_spec import CLASS, SOURCE, TARGET, Slot, TensorSpec

HIGHEST_RATE_HZ = 16_000
"""What is above half of this makes speech nicer and not clearer."""

MOST_FRAMES = 960
FURTHER_PLANES = 2
"""Beside one for each unit: how far a frame is through its unit, and how long that is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechCodecConfig(CodecConfig):
    """Settings of the codec of speech."""

    kind: ClassVar[str] = "speech"
    target: ClassVar[str] = "makar.codecs.speech:SpeechCodec"
    media: ClassVar[tuple[str, ...]] = ("sound",)

    rate_hz: int = setting(16_000, meaning="samples a second", unit="Hz", minimum=1000, maximum=48_000)
    hop: int = setting(
        256,
        meaning="samples from one frame of the picture to the next; a window has four times as many",
        minimum=16,
        maximum=4096,
    )
    mels: int = setting(80, meaning="bands of pitch", minimum=16, maximum=256)
    frames: int = setting(
        192, meaning="frames at most; a recording that is longer is not learned from", minimum=16, maximum=MOST_FRAMES
    )
    loudest_db: float = setting(
        0.0,
        meaning="loudness of white in the picture, black is 80 dB below; 0 takes the loudest of the data",
        unit="dB of a full-scale sine",
        minimum=-80.0,
        maximum=40.0,
    )
    units: str = setting(
        "auto",
        meaning="what a text is made of: phones by the program flite, or letters; auto takes phones where flite is installed",
        choices=("auto", *KINDS),
    )
    use_labels: bool = setting(
        False, meaning="learn several voices, the labels of the recordings, so that one can be asked for"
    )

    @property
    def seconds(self) -> float:
        """How long what is learned at once can be."""
        return self.frames * self.hop / self.rate_hz

    @property
    def source_planes(self) -> int:
        """Channels of what is said of every frame."""
        return len(KINDS["phones" if self.units == "auto" else self.units]) + FURTHER_PLANES

    def made(self, classes: int) -> TensorSpec:
        """Return what the codec makes.

        Args:
            classes: Voices; 0 where they are not told apart.
        """
        axes = ("channels", "height", "width")
        slots = {
            TARGET: Slot(kind="values", axes=axes, sizes=(self.mels, 1, self.frames)),
            SOURCE: Slot(kind="values", axes=axes, sizes=(self.source_planes, 1, self.frames)),
        }
        if classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=classes)
        return TensorSpec(slots)

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        return self.made(len(labels) if self.use_labels else 0)


def choose_speech_codec(sizes: Mapping[str, Any], codec: SpeechCodecConfig) -> SpeechCodecConfig:
    """Return the codec for a data set: frames for all but the longest twentieth of its recordings, as far as they are learned at once.

    Args:
        sizes: What the inspection found of rates and durations.
        codec: The codec of the recipe, whose other settings stay.
    """
    rate = usual_rate_hz(sizes, highest=HIGHEST_RATE_HZ)
    hop = usual_hop(rate)
    needed = math.ceil(float(sizes["seconds"]["most_but_5%"]) * rate / hop / FRAME_STEP) * FRAME_STEP
    return codec.changed(rate_hz=rate, hop=hop, mels=usual_mels(rate), frames=max(16, min(MOST_FRAMES, needed)))
