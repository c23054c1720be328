"""Settings of the video codec: how many frames of which size at which rate, and whether labels and captions are used."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.captioned_config import CaptionedConfig
from makar.codecs.image_config import LARGEST, SMALLEST, ImageCodecConfig, choose_image_codec, estimated_slots
from makar.config import setting
from makar.tensor_spec import TARGET, TensorSpec

LEAST_FRAMES, MOST_FRAMES = 2, 64
USUAL_RATE_HZ = 8.0
"""Slow enough that eight frames show a movement and fast enough that it is seen."""

HIGHEST_RATE_HZ = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoCodecConfig(CaptionedConfig):
    """Settings of the video codec."""

    kind: ClassVar[str] = "video"
    target: ClassVar[str] = "makar.codecs.video:VideoCodec"
    media: ClassVar[tuple[str, ...]] = ("video",)

    frames: int = setting(
        8,
        meaning="frames of every clip; a longer one is cut into several, of a shorter one the last picture is held",
        minimum=LEAST_FRAMES,
        maximum=MOST_FRAMES,
    )
    rate_hz: float = setting(
        0.0,
        meaning="frames a second; 0 takes the rate at which a clip of the usual length of the data has its frames, at least 8",
        minimum=0.0,
        maximum=HIGHEST_RATE_HZ,
    )
    height: int = setting(32, meaning="height of every frame", unit="pixels", minimum=SMALLEST, maximum=LARGEST)
    width: int = setting(32, meaning="width of every frame", unit="pixels", minimum=SMALLEST, maximum=LARGEST)
    channels: int = setting(0, meaning="1 grey, 3 colour; 0 takes the least that holds the data", choices=(0, 1, 3))
    fit: str = setting(
        "crop",
        meaning="crop fills the size and cuts what hangs over at both sides; pad shows everything and fills the rest "
        "with the colour of the border",
        choices=("crop", "pad"),
    )

    @property
    def played_hz(self) -> float:
        """Frames a second, where none were chosen the usual ones."""
        return self.rate_hz or USUAL_RATE_HZ

    @property
    def seconds(self) -> float:
        """How long a clip is."""
        return self.frames / self.played_hz

    def picture(self) -> ImageCodecConfig:
        """Return the settings of the codec of the frames."""
        return ImageCodecConfig(
            height=self.height,
            width=self.width,
            channels=self.channels,
            fit=self.fit,
            use_labels=self.use_labels,
            use_captions=self.use_captions,
            caption_length=self.caption_length,
            caption_vocabulary=self.caption_vocabulary,
        )

    def estimated_spec(self, labels: Mapping[str, int], *, channels: int = 3) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        pictures = estimated_slots(self.picture(), (self.channels or channels, self.height, self.width), labels)
        return slots_of_clips(TensorSpec(pictures), self.frames)


def slots_of_clips(pictures: TensorSpec, frames: int) -> TensorSpec:
    """Return the slots of clips from those of their frames: the channels of all frames, one frame after the other."""
    target = pictures[TARGET]
    channels, height, width = target.sizes
    slots = dict(pictures.slots)
    slots[TARGET] = dataclasses.replace(target, sizes=(frames * int(channels or 1), height, width), frames=frames)
    return TensorSpec(slots)


def choose_video_codec(sizes: Mapping[str, Any], codec: VideoCodecConfig, *, largest: int = 32) -> VideoCodecConfig:
    """Return the codec for a data set: the shape of its pictures, and a rate at which its clips are not cut short.

    Args:
        sizes: What the inspection found of sizes, durations and rates.
        codec: The codec of the recipe, whose other settings stay.
        largest: Longest side to train on, in pixels.
    """
    shaped = choose_image_codec(
        sizes["height"]["median"], width=sizes["width"]["median"], largest=max(largest, codec.height, codec.width)
    )
    return with_usual_rate(codec, sizes).changed(height=shaped.height, width=shaped.width)


def with_usual_rate(codec: VideoCodecConfig, sizes: Mapping[str, Any]) -> VideoCodecConfig:
    """Return the codec with a rate, where it has none: no higher than that of the data, 8 a second, more where clips are short."""
    if codec.rate_hz:
        return codec
    seconds, own = float(sizes["seconds"]["median"]), float(sizes["rate_hz"]["median"])
    rate = min(own, HIGHEST_RATE_HZ, max(USUAL_RATE_HZ, codec.frames / max(seconds, 1e-3)))
    return codec.changed(rate_hz=round(max(rate, 0.1), 3))
