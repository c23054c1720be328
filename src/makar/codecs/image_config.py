"""Settings of the image codec: one size for every image, how another shape is made to fit, whether labels and captions are used."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting

SMALLEST, LARGEST = 16, 64
"""Sides of an image, in pixels, that models of pixels are made for; larger ones are for latents."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageCodecConfig(CodecConfig):
    """Settings of the image codec."""

    kind: ClassVar[str] = "image"
    target: ClassVar[str] = "makar.codecs.image:ImageCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    height: int = setting(32, meaning="height of every image", unit="pixels", minimum=SMALLEST, maximum=LARGEST)
    width: int = setting(32, meaning="width of every image", unit="pixels", minimum=SMALLEST, maximum=LARGEST)
    channels: int = setting(
        0, meaning="1 grey, 3 colour, 4 colour with alpha; 0 takes the least that holds the data", choices=(0, 1, 3, 4)
    )
    fit: str = setting(
        "crop",
        meaning="crop fills the size and cuts what hangs over at both sides; pad shows everything and fills the rest "
        "with the colour of the border",
        choices=("crop", "pad"),
    )
    use_labels: bool = setting(False, meaning="learn the class of every image, so that one can be asked for")
    use_captions: bool = setting(False, meaning="learn what captions say, so that an image can be described")
    caption_length: int = setting(
        32,
        meaning="tokens of a caption; what is longer is cut off in training and refused as a prompt",
        minimum=1,
        maximum=512,
    )
    caption_vocabulary: int = setting(
        2048, meaning="different caption tokens at most, the 256 bytes included", minimum=257, maximum=100_000
    )


def choose_image_codec(
    height: int,
    *,
    width: int,
    use_labels: bool = False,
    use_captions: bool = False,
    largest: int = 32,
    channels: int = 0,
) -> ImageCodecConfig:
    """Return the codec for a data set from the typical size of its images.

    The shape is kept, to multiples of four pixels where the image has to be resized anyway; an image that already fits is not touched.

    Args:
        height: Median height of the images, in pixels.
        width: Median width of the images, in pixels.
        use_labels: Whether every image has a class that is to be learned.
        use_captions: Whether images have captions that are to be learned.
        largest: Longest side to train on, in pixels, 16 to 64.
        channels: As in the configuration; 0 takes them from the data.
    """
    config = ImageCodecConfig(channels=channels, use_labels=use_labels, use_captions=use_captions)
    if min(height, width) >= SMALLEST and max(height, width) <= largest:
        return config.changed(height=height, width=width)
    factor = min(1.0, largest / max(height, width))

    def side(pixels: int) -> int:
        return min(largest, max(SMALLEST, round(pixels * factor / 4) * 4))

    return config.changed(height=side(height), width=side(width))
