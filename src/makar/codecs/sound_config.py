"""Settings of the sound codec: how the picture of a sound is taken, and whether labels, captions, melodies and words are used."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.captioned_config import CaptionedConfig
from makar.codecs.hearing_config import (
    FEWEST_FRAMES,
    MANY_MELS,
    HearingConfig,
    frames_for,
    usual_hop,
    usual_mels,
    usual_rate_hz,
)
from makar.codecs.image_config import ImageCodecConfig, estimated_slots
from makar.config import setting
from makar.data.phones import PHONES
from makar.tensor_spec import LYRICS, SOURCE, Slot, TensorSpec

MOST_FRAMES = 256
HIGHEST_RATE_HZ = 22_050
BANDS, OUTLINE = "bands", "outline"
"""What a picture shows."""

OUTLINE_ROWS = 16
MELODY_NOTES = 13
"""The twelve notes, and silence; both as in ``makar.data.chroma``."""

LYRIC_UNITS = len(PHONES)
"""Different units that words are sung in; of letters there are fewer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundCodecConfig(HearingConfig, CaptionedConfig):
    """Settings of the sound codec."""

    kind: ClassVar[str] = "sound"
    target: ClassVar[str] = "makar.codecs.sound:SoundCodec"

    frames: int = setting(
        64,
        meaning="frames of the picture, its columns; what is longer is cut off, what is shorter is followed by silence",
        minimum=FEWEST_FRAMES,
        maximum=MOST_FRAMES,
    )
    shows: str = setting(
        BANDS,
        meaning="what the picture shows: the loudness of bands of pitch; or an outline, which leads back to no sound: which of the twelve "
        "notes sound and where something begins",
        choices=(BANDS, OUTLINE),
    )
    use_melody: bool = setting(
        False, meaning="learn which of the twelve notes leads at each moment, so that a melody can be given"
    )
    use_lyrics: bool = setting(
        False, meaning="learn what is sung at each moment, the captions being the words, so that words can be given"
    )

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        return self.with_guides(TensorSpec(estimated_slots(self.picture(), (1, self.rows, self.frames), labels)))

    def with_guides(self, pictures: TensorSpec) -> TensorSpec:
        """Return what the codec of the pictures makes, and of every frame the leading note and what is sung, where they are learned."""
        slots = dict(pictures.slots)
        if self.use_melody:
            sizes = (1, self.frames)
            slots[SOURCE] = Slot(kind="tokens", axes=("codebooks", "frames"), sizes=sizes, vocabulary=MELODY_NOTES)
        if self.use_lyrics:
            slots[LYRICS] = Slot(kind="tokens", axes=("frames",), sizes=(self.frames,), vocabulary=LYRIC_UNITS)
        return TensorSpec(slots)

    @property
    def rows(self) -> int:
        """Rows of the picture."""
        return self.mels if self.shows == BANDS else OUTLINE_ROWS

    def picture(self) -> ImageCodecConfig:
        """Return the settings of the codec of the pictures."""
        return ImageCodecConfig(
            height=self.rows,
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
        codec: The codec of the recipe, whose other settings stay; more bands than usual stay too.
    """
    rate = usual_rate_hz(sizes, highest=HIGHEST_RATE_HZ)
    hop = usual_hop(rate)
    # Lists of recipes read this file too, and the reader brings NumPy.
    from makar.data.sound_reader import PIECE_SECONDS

    longest = min(float(sizes["seconds"]["most_but_5%"]), PIECE_SECONDS)
    while longest * rate / hop > MOST_FRAMES:
        hop *= 2
    frames = frames_for(longest, rate_hz=rate, hop=hop, most=MOST_FRAMES)
    mels = codec.mels if codec.mels > MANY_MELS else usual_mels(rate)
    return codec.changed(rate_hz=rate, hop=hop, mels=mels, frames=frames)
