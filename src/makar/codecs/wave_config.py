"""Settings of the codec of samples: a sound as steps of the mu-law or as numbers, with its picture where that is to be given."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.hearing_config import FEWEST_FRAMES, HearingConfig, frames_for, usual_hop, usual_mels, usual_rate_hz
from makar.config import setting
from makar.tensor_spec import CLASS, SOURCE, TARGET, Slot, TensorSpec

LEVELS = 256
"""Steps of the mu-law; the token of this number stands behind the end of a sound."""

MOST_FRAMES = 960
STEPS, NUMBERS = "mu-law", "samples"
STEPS_RATE_HZ, NUMBERS_RATE_HZ = 8_000, 16_000
"""Highest rates that are chosen by themselves: one sample after the other costs time, and 256 steps are heard at any rate."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WaveCodecConfig(HearingConfig):
    """Settings of the codec of samples."""

    kind: ClassVar[str] = "wave"
    target: ClassVar[str] = "makar.codecs.wave:WaveCodec"

    frames: int = setting(
        64,
        meaning="length in frames of hop samples; what is longer is cut off, what is shorter is followed by nothing",
        minimum=FEWEST_FRAMES,
        maximum=MOST_FRAMES,
    )
    coding: str = setting(
        STEPS,
        meaning="mu-law says every sample as one of 256 steps, finer near silence; samples says it as a number",
        choices=(STEPS, NUMBERS),
    )
    use_labels: bool = setting(False, meaning="learn the class of every sound, so that one can be asked for")
    use_pictures: bool = setting(
        False, meaning="give the model the picture of every sound, so that it learns how pictures sound"
    )

    @property
    def samples(self) -> int:
        """Samples of an example."""
        return self.frames * self.hop

    def made(self, classes: int) -> TensorSpec:
        """Return what the codec makes.

        Args:
            classes: 0 where they are not told apart.
        """
        is_steps = self.coding == STEPS
        slots = {
            TARGET: Slot(
                kind="tokens" if is_steps else "values",
                axes=("samples",),
                sizes=(self.samples,),
                vocabulary=LEVELS + 1 if is_steps else None,
                rate_hz=float(self.rate_hz),
            )
        }
        if self.use_pictures:
            slots[SOURCE] = Slot(kind="values", axes=("bands", "frames"), sizes=(self.mels, self.frames))
        if classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=classes)
        return TensorSpec(slots)

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        return self.made(len(labels) if self.use_labels else 0)


def choose_wave_codec(sizes: Mapping[str, Any], codec: WaveCodecConfig) -> WaveCodecConfig:
    """Return the codec for a data set: the rate that most of it has, as far as it is learned by itself, and all but its longest twentieth.

    Args:
        sizes: What the inspection found of rates and durations.
        codec: The codec of the recipe, whose other settings stay.
    """
    rate = usual_rate_hz(sizes, highest=STEPS_RATE_HZ if codec.coding == STEPS else NUMBERS_RATE_HZ)
    hop = usual_hop(rate)
    frames = frames_for(float(sizes["seconds"]["most_but_5%"]), rate_hz=rate, hop=hop, most=MOST_FRAMES)
    return codec.changed(rate_hz=rate, hop=hop, mels=usual_mels(rate), frames=frames)
