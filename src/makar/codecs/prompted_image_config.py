"""Settings of images with the words that they were described in, for models that bring a reader of their own."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

LARGEST_SIDE = 4096
BYTE_TOKENS = 258
"""Padding, no caption, and the 256 bytes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptedImageCodecConfig(CodecConfig):
    """Settings of the codec of colour images and their words."""

    kind: ClassVar[str] = "prompted-image"
    target: ClassVar[str] = "makar.codecs.prompted_image:PromptedImageCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    height: int = setting(512, meaning="height of every image", unit="pixels", minimum=8, maximum=LARGEST_SIDE)
    width: int = setting(512, meaning="width of every image", unit="pixels", minimum=8, maximum=LARGEST_SIDE)
    fit: str = setting(
        "crop",
        meaning="crop fills the size and cuts what hangs over at both sides; pad shows everything and fills the rest "
        "with the colour of the border",
        choices=("crop", "pad"),
    )
    caption: str = setting("", meaning="description of every image that has none, such as 'a photo of sks dog'")
    caption_bytes: int = setting(
        1024,
        meaning="UTF-8 bytes of a description; what is longer is cut off in training and refused as a prompt",
        unit="bytes",
        minimum=16,
    )

    def spec(self) -> TensorSpec:
        """Return what the codec makes: pixels from -1 to 1, and a row of bytes."""
        sizes = (3, self.height, self.width)
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(self.caption_bytes,), vocabulary=BYTE_TOKENS),
            }
        )
