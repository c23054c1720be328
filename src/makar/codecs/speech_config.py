"""Settings of the codec of speech: a sound whose words are known, as its picture and the units that are spoken in each frame of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from makar.codecs.hearing_config import FEWEST_FRAMES, HearingConfig, frames_for, usual_hop, usual_mels, usual_rate_hz
from makar.codecs.units import KINDS
from makar.config import setting
from makar.tensor_spec import CLASS, SOURCE, TARGET, WAVE, Slot, TensorSpec

HIGHEST_RATE_HZ = 16_000
"""What is above half of this makes speech nicer and not clearer."""

MOST_FRAMES = 960
FURTHER_PLANES = 2
"""Beside one for each unit: how far a frame is through its unit, and how long that is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechCodecConfig(HearingConfig):
    """Settings of the codec of speech."""

    kind: ClassVar[str] = "speech"
    target: ClassVar[str] = "makar.codecs.speech:SpeechCodec"

    frames: int = setting(
        192,
        meaning="frames at most; a recording that is longer is not learned from",
        minimum=FEWEST_FRAMES,
        maximum=MOST_FRAMES,
    )
    units: str = setting(
        "auto",
        meaning="what a text is made of: phones by the program flite, or letters; auto takes phones where flite is installed",
        choices=("auto", *KINDS),
    )
    use_labels: bool = setting(
        False, meaning="learn several voices, the labels of the recordings, so that one can be asked for"
    )

    use_samples: bool = setting(
        False,
        meaning="give the model the samples of every recording beside its picture, so that it learns to make them",
    )

    @property
    def samples(self) -> int:
        """Samples of all frames."""
        return self.frames * self.hop

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
        if self.use_samples:
            slots[WAVE] = Slot(kind="values", axes=("samples",), sizes=(self.samples,), rate_hz=float(self.rate_hz))
        if classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=classes)
        return TensorSpec(slots)

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        return self.made(len(labels) if self.use_labels else 0)


Spoken = TypeVar("Spoken", bound=HearingConfig)


def choose_spoken_codec(sizes: Mapping[str, Any], codec: Spoken) -> Spoken:
    """Return a codec of recordings with words for a data set: frames for all but the longest twentieth, as far as they are seen at once.

    Args:
        sizes: What the inspection found of rates and durations.
        codec: The codec of the recipe, whose other settings stay.
    """
    rate = usual_rate_hz(sizes, highest=HIGHEST_RATE_HZ)
    hop = usual_hop(rate)
    frames = frames_for(float(sizes["seconds"]["most_but_5%"]), rate_hz=rate, hop=hop, most=MOST_FRAMES)
    return codec.changed(rate_hz=rate, hop=hop, mels=usual_mels(rate), frames=frames)
