"""Settings of the autoencoder of tokens: sizes, how many tokens an image has, and which quantiser makes them."""

import dataclasses
import math
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import (
    Levels,
    activation_values,
    affine,
    decoder_parameters,
    encoder_operations,
    encoder_parameters,
    level_sizes,
)
from makar.families.vqvae.token_config import TokenAutoencoderConfig
from makar.tensor_spec import TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class VqvaeConfig(TokenAutoencoderConfig):
    """Settings of an autoencoder with discrete codes."""

    kind: ClassVar[str] = "vqvae"
    target: ClassVar[str] = "makar.families.vqvae.family:VqvaeFamily"
    item_name: ClassVar[str] = "image"

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=4, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=4, maximum=256)
    channels: int = setting(3, meaning="1 grey, 3 colour, 4 colour with alpha", minimum=1, maximum=64)
    features: int = setting(64, meaning="channels of the finest level", minimum=8, maximum=4096)
    multipliers: tuple[int, ...] = setting(
        (1,), meaning="channels of every level, in features; each level halves the resolution, tokens are at the last"
    )
    blocks: int = setting(2, meaning="blocks a level, in the encoder and again in the decoder", minimum=1, maximum=32)
    patch: int = setting(4, meaning="pixels that are folded into one position, along each side", choices=(1, 2, 4))
    quantiser: str = setting(
        "codebook",
        meaning="codebook learns its codes; finite-scalar rounds every value of a short vector",
        choices=("codebook", "finite-scalar"),
    )
    codes: int = setting(512, meaning="codes of the codebook", minimum=2, maximum=65536)
    scalar_levels: tuple[int, ...] = setting(
        (8, 5, 5, 5),
        meaning="levels of every value of the finite-scalar quantiser; their product is the number of tokens",
    )

    def check(self) -> None:
        """Check the fields, that every level has channels, and that scalars have at least two levels."""
        super().check()
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers are {self.multipliers}", expected="at least one, each at least 1")
        if not self.scalar_levels or min(self.scalar_levels) < 2:
            raise ConfigError(f"scalar_levels are {self.scalar_levels}", expected="at least one, each at least 2")

    @property
    def vocabulary(self) -> int:
        """Number of different tokens."""
        return self.codes if self.quantiser == "codebook" else math.prod(self.scalar_levels)

    @property
    def vector_width(self) -> int:
        """Length of the vector that becomes a token."""
        return self.code_width if self.quantiser == "codebook" else len(self.scalar_levels)

    @property
    def token_shape(self) -> tuple[int, int]:
        """(rows, columns) of the tokens of an image."""
        return self.shape.sizes[-1]

    @property
    def shape(self) -> Levels:
        """The shape of the encoder and of the decoder."""
        sizes = level_sizes(self.height, self.width, patch=self.patch, levels=len(self.multipliers))
        widths = tuple(self.features * multiplier for multiplier in self.multipliers)
        return Levels(pixels=self.channels * self.patch**2, widths=widths, sizes=sizes, blocks=self.blocks)

    def latents(self) -> Slot:
        """Return what ``encode`` makes of one image: a grid of tokens."""
        return Slot(kind="tokens", axes=("rows", "columns"), sizes=self.token_shape, vocabulary=self.vocabulary)

    def accepts(self) -> TensorSpec:
        """Images of this size."""
        sizes = (self.channels, self.height, self.width)
        return TensorSpec({TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size and channels of what a codec makes."""
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        channels, height, width = made[TARGET].sizes
        return self.changed(channels=channels, height=height, width=width)

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters; the codes are running means and are not counted."""
        shape, vector = self.shape, self.vector_width
        deepest = shape.widths[-1]
        around = affine(deepest, vector) + affine(vector, deepest)
        return encoder_parameters(shape) + decoder_parameters(shape) + around

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image: three times the forward pass, then finding codes and moving them."""
        shape, vector = self.shape, self.vector_width
        around = 2.0 * shape.places[-1] * 2 * shape.widths[-1] * vector
        search = 4.0 * shape.places[-1] * self.codes * vector if self.quantiser == "codebook" else 0.0
        return 3.0 * (2 * encoder_operations(shape) + around) + search

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value."""
        shape = self.shape
        chosen = shape.places[-1] * (4 * self.vector_width + (4 * self.codes if self.quantiser == "codebook" else 0))
        return 2.0 * (2 * activation_values(shape) + chosen)
