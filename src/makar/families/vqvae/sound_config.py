"""Settings of the autoencoder of sounds: how many tokens a second, in how many codebooks, and its exact size and cost; no torch."""

import dataclasses
import math
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import affine
from makar.families.vqvae.token_config import TokenAutoencoderConfig
from makar.tensor_spec import TARGET, Slot, TensorSpec

BLOCK_VALUES = 9.0
"""What a block keeps for its backward pass, as a multiple of its channels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundVqvaeConfig(TokenAutoencoderConfig):
    """Settings of an autoencoder of the pictures of sounds with residual codebooks."""

    kind: ClassVar[str] = "sound-vqvae"
    target: ClassVar[str] = "makar.families.vqvae.sound_family:SoundVqvaeFamily"
    item_name: ClassVar[str] = "sound"

    rows: int = setting(80, meaning="rows of the pictures: bands of pitch", minimum=1, maximum=1024)
    frames: int = setting(64, meaning="columns of the pictures: frames", minimum=1, maximum=65536)
    features: int = setting(96, meaning="channels inside", minimum=8, maximum=4096)
    strides: tuple[int, ...] = setting((2, 2), meaning="frames that become one, level by level")
    blocks: int = setting(1, meaning="blocks a level, in the encoder and again in the decoder", minimum=1, maximum=32)
    codebooks: int = setting(4, meaning="tokens for every moment, each refining those before it", minimum=1, maximum=32)
    codes: int = setting(256, meaning="codes of a codebook", minimum=2, maximum=65536)
    restart_share: float = setting(
        0.1,
        meaning="a code used less than this share of the even use is moved onto a vector of the batch; 0 never",
        minimum=0.0,
        maximum=1.0,
    )
    fewer_share: float = setting(
        0.3, meaning="share of the examples that must do with the first few codebooks", minimum=0.0, maximum=1.0
    )

    def check(self) -> None:
        """Check the fields, and that frames become fewer."""
        super().check()
        if not self.strides or min(self.strides) < 1 or max(self.strides) > 16:
            raise ConfigError(f"strides are {self.strides}", expected="at least one, each from 1 to 16")

    @property
    def stride(self) -> int:
        """Frames that one token of a codebook stands for."""
        return math.prod(self.strides)

    @property
    def positions(self) -> int:
        """Moments that have tokens."""
        return -(-self.frames // self.stride)

    def latents(self) -> Slot:
        """Return what ``encode`` makes of one sound: a row of tokens for every codebook."""
        sizes = (self.codebooks, self.positions)
        return Slot(kind="tokens", axes=("codebooks", "frames"), sizes=sizes, vocabulary=self.codes)

    def accepts(self) -> TensorSpec:
        """Pictures of this size."""
        sizes = (1, self.rows, self.frames)
        return TensorSpec({TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the rows and frames of what a codec makes.

        Raises:
            ConfigError: It makes no pictures of one channel.
        """
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width") or made[TARGET].sizes[0] != 1:
            raise ConfigError("the codec makes no pictures of sounds", expected="pictures of one channel")
        _, rows, frames = made[TARGET].sizes
        return self.changed(rows=rows, frames=frames)

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters; the codes are running means and are not counted."""
        width = self.features
        half = (len(self.strides) + 1) * self.blocks * (affine(3 * width, width) + affine(width, width))
        encoder = affine(3 * self.rows, width) + half + sum(affine(stride * width, width) for stride in self.strides)
        decoder = affine(3 * width, self.rows) + half + sum(affine(width, stride * width) for stride in self.strides)
        return encoder + decoder + affine(width, self.code_width) + affine(self.code_width, width)

    def training_operations(self) -> float:
        """Return floating-point operations to train on one sound: three times the forward pass, then finding codes and moving them."""
        width, places = self.features, self.positions * self.stride
        products = 2.0 * places * 3 * self.rows * width
        for stride in self.strides:
            # Blocks of a level, then the fold at its end.
            products += 2.0 * places * (4 * self.blocks + 1) * width * width
            places //= stride
        products += 2.0 * places * 4 * self.blocks * width * width
        around = 2.0 * self.positions * width * self.code_width
        search = 4.0 * self.positions * self.codebooks * self.codes * self.code_width
        return 6.0 * (products + around) + search

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one sound."""
        places = self.positions * self.stride
        values = places * 6.0 * self.rows
        for stride in (*self.strides, 1):
            values += places * self.features * (2.0 + BLOCK_VALUES * self.blocks) * 2
            places //= stride
        return 4.0 * (values + self.positions * self.codebooks * (4 * self.code_width + 2 * self.codes))
