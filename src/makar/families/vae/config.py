"""Settings of the variational autoencoder: sizes, where in the decoder latent variables enter, likelihood, weights of the divergence.

With latent channels at one level only this is the autoencoder of Kingma and Welling 2013 and a codec for latent
models; with several it is a ladder (Sonderby et al. 2016, arXiv 1602.02282): coarse latents first, finer ones given
what the coarse ones say.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import Levels, level_sizes
from makar.families.family_config import FamilyConfig
from makar.families.vae import size
from makar.tensor_spec import TARGET, Slot, TensorSpec

FEATURE_STEP = 8
LARGEST_FEATURES = 768
MOST_FRAMES = 64
BETWEEN = ("interpolate", "interpolate-seeds")
VECTOR_FEATURES = 8
"""Width of the vector for the whole image, in features."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VaeConfig(FamilyConfig):
    """Settings of a variational autoencoder."""

    kind: ClassVar[str] = "vae"
    target: ClassVar[str] = "makar.families.vae.family:VaeFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    predictions: ClassVar[tuple[str, ...]] = ("anomaly",)

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=4, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=4, maximum=256)
    channels: int = setting(3, meaning="1 grey, 3 colour, 4 colour with alpha", minimum=1, maximum=64)
    frames: int = setting(
        1,
        meaning="frames of a clip, of which each is an image of its own to the autoencoder; 1 for images",
        minimum=1,
        maximum=MOST_FRAMES,
    )
    features: int = setting(32, meaning="channels of the finest level", minimum=8, maximum=4096)
    multipliers: tuple[int, ...] = setting(
        (1,), meaning="channels of every level, in features; each level halves the resolution"
    )
    latent_channels: tuple[int, ...] = setting(
        (8,), meaning="latent channels at every level, the finest first; 0 for a level without"
    )
    vector_latents: int = setting(32, meaning="latents of the image as a whole; 0 for none", minimum=0, maximum=4096)
    vector_width: int = setting(
        256,
        meaning="length of the vector that stands for the whole image; read with vector_latents",
        minimum=8,
        maximum=8192,
    )
    blocks: int = setting(1, meaning="blocks a level, in the encoder and again in the decoder", minimum=1, maximum=32)
    patch: int = setting(4, meaning="pixels that are folded into one position, along each side", choices=(1, 2, 4))
    likelihood: str = setting(
        "gaussian",
        meaning="bernoulli for black and white (greys are drawn anew each time), gaussian with one learned deviation a "
        "channel, logistic with a learned scale a pixel",
        choices=("bernoulli", "gaussian", "logistic"),
    )
    beta: float = setting(
        1.0, meaning="weight of the divergence in training; above 1 disentangles, below 1 sharpens", minimum=0.0
    )
    free_bits: float = setting(
        0.0, meaning="divergence below which a latent channel is not pressed further", unit="nats", minimum=0.0
    )
    outline_cells: int = setting(
        0,
        meaning="grid, cells a side, over which outlines count in the score of anomaly; 0 for none",
        minimum=0,
        maximum=16,
    )
    noise_share: float = setting(
        0.1, meaning="share of the training images that the encoder sees noisy", minimum=0.0, maximum=1.0
    )
    noise_deviation: float = setting(
        0.5, meaning="largest deviation of that noise, of values from -1 to 1", minimum=0.0, maximum=2.0
    )

    def check(self) -> None:
        """Check the fields, and that every level has channels and there are latents below all others."""
        super().check()
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers are {self.multipliers}", expected="at least one, each at least 1")
        latent = self.latent_channels
        if len(latent) != len(self.multipliers) or min(latent) < 0 or not (latent[-1] or self.vector_latents):
            raise ConfigError(
                f"latent_channels are {latent} for {len(self.multipliers)} levels",
                expected="one number a level, none below 0, the last above 0 where vector_latents is 0",
            )

    @property
    def edits(self) -> tuple[str, ...]:
        """What is given is rebuilt and cleaned; between two images there are others, and between the frames of two clips nothing is."""
        return ("denoise", "reconstruct") if self.frames > 1 else ("denoise", "reconstruct", *BETWEEN)

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of every level, the finest first."""
        return tuple(self.features * multiplier for multiplier in self.multipliers)

    @property
    def encoder_shape(self) -> Levels:
        """The shape of the encoder, and of the decoder but for its outputs."""
        sizes = level_sizes(self.height, self.width, patch=self.patch, levels=len(self.multipliers))
        return Levels(pixels=self.channels * self.patch**2, widths=self.level_widths, sizes=sizes, blocks=self.blocks)

    @property
    def outputs(self) -> int:
        """Channels that the decoder makes: the location, and with the logistic likelihood a scale for each."""
        return self.channels * (2 if self.likelihood == "logistic" else 1)

    @property
    def latent_levels(self) -> tuple[int, ...]:
        """Levels of the decoder with latents, in the order in which they are drawn: the coarsest first."""
        return tuple(level for level in reversed(range(len(self.latent_channels))) if self.latent_channels[level])

    @property
    def latent_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, rows, columns) of the latents, the coarsest first; the vector has one row and column."""
        sizes = self.encoder_shape.sizes
        vector = ((self.vector_latents, 1, 1),) if self.vector_latents else ()
        return (*vector, *((self.latent_channels[level], *sizes[level]) for level in self.latent_levels))

    @property
    def latent_count(self) -> int:
        """Latents of an image, over all levels."""
        return sum(channels * rows * columns for channels, rows, columns in self.latent_shapes)

    def latents(self) -> Slot | None:
        """Return what ``encode`` makes of one image or clip; ``None`` where latents at several levels do not fit into one slot."""
        if len(self.latent_shapes) > 1:
            return None
        channels, rows, columns = self.latent_shapes[0]
        return self._slot((channels, rows, columns))

    def accepts(self) -> TensorSpec:
        """Images, or the frames of clips, of this size."""
        return TensorSpec({TARGET: self._slot((self.channels, self.height, self.width))})

    def _slot(self, of_frame: tuple[int, int, int]) -> Slot:
        """Return the slot of all frames, one after the other, from the sizes of one."""
        channels, *place = of_frame
        sizes = (self.frames * channels, *place)
        return Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes, frames=self.frames)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size and channels of what a codec makes."""
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        channels, height, width = made[TARGET].sizes
        frames = made[TARGET].frames
        return self.changed(channels=(channels or 1) // frames, frames=frames, height=height, width=width)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""
        counts = {
            features: self.with_features(features).parameter_count()
            for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)
        }
        return self.with_features(min(counts, key=lambda features: abs(counts[features] - parameters)))

    def with_features(self, features: int) -> Self:
        """Return a copy with so many features, and a vector whose width goes with them."""
        return self.changed(features=features, vector_width=VECTOR_FEATURES * features)

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return size.parameter_count(self)

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image or on all frames of a clip: three times the forward pass."""
        return 3.0 * self.frames * size.forward_operations(self)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image or clip, at two bytes a value."""
        return 2.0 * self.frames * size.activation_values(self)
