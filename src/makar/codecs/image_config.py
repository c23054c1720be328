"""Settings of the image codec: one size for every image, how another shape is made to fit, whether labels, captions and a source are used.

A source is a second image of every example, to which a model is to find the first: it is computed from the first (``image_sources``), or
the data holds it: the other image of a pair, or one half of an image that shows both.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.captioned_config import CaptionedConfig
from makar.config import setting
from makar.errors import ConfigError, UnsupportedError
from makar.tensor_spec import CAPTION, CLASS, TARGET, Slot

SMALLEST, LARGEST = 16, 256
"""Sides of an image in pixels."""

PLANES = ("grey", "edges", "sketch", "segments", "depth")
"""Sources of one channel."""

COMPUTED = ("reduced", *PLANES)
HALVES = ("left", "right")
PAIRED = ("pair", "pair-back")
SOURCES = ("none", *COMPUTED, *PAIRED, *HALVES)
REDUCTION = 2
SIDE_STEP = 4
"""Images that have to be resized, or whose source is reduced, have sides that are multiples of this."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageCodecConfig(CaptionedConfig):
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
    use_scores: bool = setting(
        False, meaning="keep how much people like every image, 0 to 1; one that nobody judged counts in full"
    )
    source: str = setting(
        "none",
        meaning="what an image is to be made from: itself in grey or reduced, its edges, a sketch, segments, or something like depth; the "
        "other image of its pair, or with pair-back that image from this one; or the left or right half of an image that shows both; none "
        "leaves it out",
        choices=SOURCES,
    )
    reduction: int = setting(
        REDUCTION, meaning="with a reduced source: pixels of a side that become one", choices=(2, 4)
    )

    def check(self) -> None:
        """Check the fields, and that a source can be made of the images."""
        super().check()
        if self.source == "reduced" and (self.height % self.reduction or self.width % self.reduction):
            raise ConfigError(
                f"images of {self.width} x {self.height} pixels reduced by {self.reduction}",
                expected=f"sides that are multiples of {self.reduction}",
            )
        if self.source == "grey" and self.channels in (1, 4):
            raise ConfigError(
                f"a grey source for images of {self.channels} channels",
                expected="3 channels, or 0 where the data is in colour without transparency",
            )
        if self.source != "reduced" and self.reduction != REDUCTION:
            raise ConfigError(
                f"a reduction of {self.reduction} with the source {self.source}", expected="the source reduced"
            )


def source_slot(config: ImageCodecConfig, *, channels: int) -> Slot | None:
    """Return the slot of the source that a codec makes, ``None`` where it makes none.

    Args:
        config: The codec's settings.
        channels: Channels of the images.
    """
    if config.source == "none":
        return None
    factor = config.reduction if config.source == "reduced" else 1
    sizes = (1 if config.source in PLANES else channels, config.height // factor, config.width // factor)
    return Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)


def estimated_slots(
    config: ImageCodecConfig, shape: tuple[int, int, int], labels: Mapping[str, int]
) -> dict[str, Slot]:
    """Return the slots that a codec will make of what it is to find, as far as the inspection lets it be guessed.

    Args:
        config: The codec's settings.
        shape: Channels, height and width of an image.
        labels: Images by label.
    """
    slots = {TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=shape)}
    if config.use_labels:
        slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(labels))
    if config.use_captions:
        slots[CAPTION] = Slot(
            kind="tokens", axes=("length",), sizes=(config.caption_length,), vocabulary=config.caption_vocabulary
        )
    return slots


def choose_image_codec(
    height: int, *, width: int, codec: ImageCodecConfig | None = None, largest: int = 32
) -> ImageCodecConfig:
    """Return the codec for a data set from the typical size of its images.

    The shape is kept, to multiples of four pixels where the image has to be resized anyway; an image that already fits is not touched.

    Args:
        height: Median height of the images, in pixels.
        width: Median width of the images, in pixels.
        codec: The codec of the recipe, whose other settings stay.
        largest: Longest side to train on, in pixels, 16 to 256.
    """
    config = codec or ImageCodecConfig()
    is_whole = config.source != "reduced" or not (height % SIDE_STEP or width % SIDE_STEP)
    if min(height, width) >= SMALLEST and max(height, width) <= largest and is_whole:
        return config.changed(height=height, width=width)
    factor = min(1.0, largest / max(height, width))

    def side(pixels: int) -> int:
        return min(largest, max(SMALLEST, round(pixels * factor / SIDE_STEP) * SIDE_STEP))

    return config.changed(height=side(height), width=side(width))


def without_pairs(found: Mapping[str, Any], recipe: str) -> UnsupportedError:
    """Return the refusal of data without pairs of images.

    Args:
        found: What the inspection says of pairs.
        recipe: Name of the recipe.
    """
    came = f'recipe "{recipe}" learns from pairs of images, and there are none'
    if found:
        examples = ", ".join(found["examples"][:2])
        came += f": no file in {found['from']} bears the name of one in {found['to']} with the same shape ({examples})"
    return UnsupportedError(
        came,
        expected="two folders in which files bear the same names, or a table with two columns of images",
        do="use --recipe cyclegan for two folders without pairs; for images that show a pair side by side add "
        "--set stages.0.codec.source=left",
    )
