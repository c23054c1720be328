"""Settings of the model that puts images and captions into one space: sizes of both encoders, objective, what varies in training."""

import dataclasses
import math
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import (
    Levels,
    activation_values,
    affine,
    encoder_operations,
    encoder_parameters,
    level_sizes,
)
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

FEATURE_STEP = 8
LARGEST_FEATURES = 768
TEXT_FEATURES = 4
"""Channels of a caption token, in features of the image encoder's finest level."""

SMALLEST_TEXT_WIDTH, LARGEST_TEXT_WIDTH = 64, 512
EXPANSION = 4
"""Width of the inner layer of a block of the text encoder, as in ``makar.nn.text_encoder``."""

TEXT_VALUES = 24
"""What a block of the text encoder keeps for its backward pass, in its channels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContrastiveConfig(FamilyConfig):
    """Settings of a pair of encoders."""

    kind: ClassVar[str] = "contrastive"
    target: ClassVar[str] = "makar.families.contrastive.family:ContrastiveFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    predictions: ClassVar[tuple[str, ...]] = ("labels", "similarity")

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=4, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=4, maximum=256)
    channels: int = setting(3, meaning="1 grey, 3 colour, 4 colour with alpha", minimum=1, maximum=64)
    caption_length: int = setting(32, meaning="tokens of a caption", minimum=1, maximum=4096)
    caption_vocabulary: int = setting(2048, meaning="number of different caption tokens", minimum=2)
    vector_width: int = setting(
        64, meaning="length of the vectors that images and captions share", minimum=4, maximum=1024
    )
    features: int = setting(32, meaning="channels of the finest level of the image encoder", minimum=8, maximum=4096)
    multipliers: tuple[int, ...] = setting(
        (1, 2, 4), meaning="channels of every level, in features; each level halves the resolution"
    )
    blocks: int = setting(1, meaning="blocks a level of the image encoder", minimum=1, maximum=32)
    patch: int = setting(2, meaning="pixels that are folded into one position, along each side", choices=(1, 2, 4))
    caption_width: int = setting(128, meaning="channels of a caption token", minimum=8, maximum=4096)
    caption_layers: int = setting(1, meaning="blocks of the text encoder; 0 is a bag of words", minimum=0, maximum=48)
    head_width: int = setting(32, meaning="channels of an attention head", minimum=8)
    objective: str = setting(
        "softmax",
        meaning="softmax: which of the batch belongs together (CLIP); sigmoid: does each pair belong together (SigLIP)",
        choices=("softmax", "sigmoid"),
    )
    dropout: float = setting(0.1, meaning="share of the image's features hidden in training", minimum=0.0, maximum=0.9)
    token_dropout: float = setting(
        0.2, meaning="share of the tokens of a caption left out in training", minimum=0.0, maximum=0.9
    )
    shift: int = setting(
        2, meaning="largest shift of an image in training, along each side", unit="pixels", minimum=0, maximum=64
    )
    noise: float = setting(
        0.2, meaning="largest deviation of the noise on an image in training", minimum=0.0, maximum=2.0
    )
    flip: bool = setting(False, meaning="learn mirrored images too; wrong for letters, digits and arrows")

    def check(self) -> None:
        """Check the fields, that every level has channels, and that heads divide what attends."""
        super().check()
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers are {self.multipliers}", expected="at least one, each at least 1")
        if self.caption_width % self.heads:
            raise ConfigError(
                f"a caption token has {self.caption_width} channels, heads have {self.head_width}",
                expected="channels that are a multiple of the head width, or fewer than twice it",
            )

    @property
    def heads(self) -> int:
        """Attention heads of the text encoder."""
        return max(1, self.caption_width // self.head_width)

    @property
    def shape(self) -> Levels:
        """The shape of the image encoder."""
        sizes = level_sizes(self.height, self.width, patch=self.patch, levels=len(self.multipliers))
        widths = tuple(self.features * multiplier for multiplier in self.multipliers)
        return Levels(pixels=self.channels * self.patch**2, widths=widths, sizes=sizes, blocks=self.blocks)

    @property
    def image_values(self) -> int:
        """Values of the deepest level, from which the vector of an image is made."""
        shape = self.shape
        return shape.places[-1] * shape.widths[-1]

    def latents(self) -> Slot:
        """Return what ``encode`` makes of one image: its vector, as an image of one pixel."""
        return Slot(kind="values", axes=("channels", "height", "width"), sizes=(self.vector_width, 1, 1))

    def accepts(self) -> TensorSpec:
        """Images of this size, each with a caption."""
        sizes = (self.channels, self.height, self.width)
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes),
                CAPTION: Slot(
                    kind="tokens", axes=("length",), sizes=(self.caption_length,), vocabulary=self.caption_vocabulary
                ),
            }
        )

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size, channels and captions of what a codec makes."""
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        if CAPTION not in made:
            raise ConfigError(
                "the codec makes no captions", expected="images with captions", do="set use_captions of the codec"
            )
        channels, height, width = made[TARGET].sizes
        caption = made[CAPTION]
        return self.changed(
            channels=channels,
            height=height,
            width=width,
            caption_length=caption.sizes[0],
            caption_vocabulary=caption.vocabulary,
        )

    def with_features(self, features: int) -> Self:
        """Return a copy with this many features and the width of captions that goes with them."""
        width = TEXT_FEATURES * features // self.head_width * self.head_width
        width = min(LARGEST_TEXT_WIDTH, max(SMALLEST_TEXT_WIDTH, width))
        return self.changed(features=features, caption_width=width // self.head_width * self.head_width)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""
        counts = {
            features: self.with_features(features).parameter_count()
            for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)
        }
        return self.with_features(min(counts, key=lambda features: abs(counts[features] - parameters)))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        width = self.caption_width
        block = 3 * width * width + affine(width, width) + self.heads
        block += affine(width, EXPANSION * width) + affine(EXPANSION * width, width)
        text = (self.caption_vocabulary + self.caption_length) * width + self.caption_layers * block
        heads = affine(self.image_values, self.vector_width) + affine(width, self.vector_width)
        return encoder_parameters(self.shape) + text + heads + (2 if self.objective == "sigmoid" else 1)

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image and its caption: three times the forward pass."""
        width, length = self.caption_width, self.caption_length
        block = length * (4 + 2 * EXPANSION) * width * width + 2 * length * length * width
        products = self.caption_layers * block + (self.image_values + width) * self.vector_width
        return 3.0 * (encoder_operations(self.shape) + 2.0 * products)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value."""
        width, length = self.caption_width, self.caption_length
        text = self.caption_layers * (TEXT_VALUES * length * width + 2.0 * length * length * self.heads)
        return 2.0 * (activation_values(self.shape) + text + 2 * length * width + math.prod((2, self.image_values)))
