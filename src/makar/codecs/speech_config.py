"""Settings of the codec of speech: a sound whose words are known, as its picture and the units that are spoken in each frame of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from makar.codecs.hearing_config import FEWEST_FRAMES, HearingConfig, frames_for, usual_hop, usual_mels, usual_rate_hz
from makar.codecs.told_planes import PROSODY_PLANES, SPEAKER_PLANES
from makar.codecs.units import KINDS
from makar.config import setting
from makar.errors import ConfigError
from makar.tensor_spec import CLASS, SOURCE, TARGET, WAVE, Slot, TensorSpec

HIGHEST_RATE_HZ = 16_000
"""What is above half of this makes speech nicer and not clearer."""

MOST_FRAMES = 960
TIMING_PLANES = 2
"""Behind one for each unit: how far a frame is through its unit, and how long that is. Where they are told, pitch and energy follow, and
then whose voice it is."""


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

    use_times: bool = setting(
        True,
        meaning="take when units are spoken from the times beside recordings, where there are any, and search for the others alone",
    )

    use_samples: bool = setting(
        False,
        meaning="give the model the samples of every recording beside its picture, so that it learns to make them",
    )

    use_prosody: bool = setting(
        False,
        meaning="tell the model how high and how loud every unit is spoken, so that both can be moved where a text is spoken",
    )

    pitch_shift: float = setting(
        0.0,
        meaning="half of the recordings are learned from once more as if they were higher or lower, by up to this, with the formants "
        "as they are, so that the voice can be moved further than its recordings reach",
        unit="semitones",
        minimum=0.0,
        maximum=12.0,
    )
    energy_shift: float = setting(
        0.0,
        meaning="with them, or alone: as if they were louder or quieter, by up to this",
        unit="dB",
        minimum=0.0,
        maximum=12.0,
    )
    use_example: bool = setting(
        False,
        meaning="tell the model whose voice it is by numbers taken from a recording, so that a voice that was not learned can be spoken "
        "with after one recording; the labels of the recordings say who speaks",
    )

    def check(self) -> None:
        """Check the fields, that a voice is not told in two ways, and that what is moved is told."""
        super().check()
        is_moved = self.pitch_shift or self.energy_shift
        if is_moved and (not self.use_prosody or self.use_samples):
            raise ConfigError(
                "recordings that are moved, and a model that is not told or learns their samples",
                expected="use_prosody and not use_samples, or a pitch_shift and energy_shift of 0",
            )
        if self.use_example and self.use_labels:
            raise ConfigError(
                "a voice that is told by a label and by an example", expected="use_labels or use_example, not both"
            )

    @property
    def samples(self) -> int:
        """Samples of all frames."""
        return self.frames * self.hop

    @property
    def unit_planes(self) -> int:
        """Channels that say which unit is spoken in a frame, one for each."""
        return len(KINDS["phones" if self.units == "auto" else self.units])

    @property
    def source_planes(self) -> int:
        """Channels of what is said of every frame."""
        told = (PROSODY_PLANES if self.use_prosody else 0) + (SPEAKER_PLANES if self.use_example else 0)
        return self.unit_planes + TIMING_PLANES + told

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
