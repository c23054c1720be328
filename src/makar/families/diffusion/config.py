"""Settings of image models by flow matching: sizes of the image and of the U-Net, classes, and at which times it is trained.

The exact counts are in ``size``; the sizes that suit an amount of compute and data are in ``makar.recipes.image``.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.diffusion import size
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

FEATURE_STEP = 16
"""Features grow in steps of this, because matrix products do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffusionConfig(FamilyConfig):
    """Settings of an image model."""

    kind: ClassVar[str] = "diffusion"
    target: ClassVar[str] = "makar.families.diffusion.family:DiffusionFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("image-to-image", "inpaint", "interpolate", "interpolate-seeds")

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=4, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=4, maximum=256)
    channels: int = setting(3, meaning="1 grey, 3 colour, 4 colour with alpha", minimum=1, maximum=64)
    limit: float = setting(1.0, meaning="largest value: 1 for pixels; latents go further", minimum=0.1, maximum=100.0)
    classes: int = setting(0, meaning="number of classes that can be asked for; 0 learns none", minimum=0)
    features: int = setting(48, meaning="channels of the first level of the U-Net", minimum=8, maximum=4096)
    multipliers: tuple[int, ...] = setting(
        (1, 2), meaning="channels of every level, in features; each level halves the resolution"
    )
    blocks: int = setting(1, meaning="blocks a level, on the way down and again on the way up", minimum=1, maximum=32)
    expansion: int = setting(1, meaning="channels inside a block, in channels of its level", minimum=1, maximum=16)
    patch: int = setting(2, meaning="pixels that are folded into one position, along each side", choices=(1, 2, 4))
    attention_positions: int = setting(
        64, meaning="levels with at most this many positions attend to all of them; 0 never", minimum=0, maximum=4096
    )
    head_width: int = setting(32, meaning="channels of an attention head", minimum=8)
    embedding_width: int = setting(96, meaning="length of the vector of time and class", minimum=8)
    class_dropout: float = setting(
        0.1, meaning="share of the examples whose class is hidden, for guidance", minimum=0.0, maximum=1.0
    )
    time_mean: float = setting(
        0.0, meaning="mean logit of the training times; above 0 is nearer to the data", minimum=-5.0, maximum=5.0
    )
    time_deviation: float = setting(
        1.0, meaning="deviation of the logit of the training times; 0 trains at uniform times", minimum=0.0, maximum=5.0
    )
    flip: bool = setting(False, meaning="learn mirrored images too; wrong for letters and digits")

    def check(self) -> None:
        """Check the fields, and that heads divide the channels of the levels that attend."""
        super().check()
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers are {self.multipliers}", expected="at least one, each at least 1")
        for level in self.attention_levels:
            channels = self.level_widths[level]
            if channels % max(1, channels // self.head_width):
                raise ConfigError(
                    f"level {level} has {channels} channels, heads have {self.head_width}",
                    expected="channels that are a multiple of the head width, or fewer than twice it",
                )

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of every level."""
        return tuple(self.features * multiplier for multiplier in self.multipliers)

    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of every level; the image is padded to a size that can be halved often enough."""
        deepest = self.patch * 2 ** (len(self.multipliers) - 1)
        rows, columns = -(-self.height // deepest) * deepest, -(-self.width // deepest) * deepest
        return tuple(
            (rows // (self.patch * 2**level), columns // (self.patch * 2**level))
            for level in range(len(self.multipliers))
        )

    @property
    def attention_levels(self) -> tuple[int, ...]:
        """Levels that attend, counted from 0."""
        sizes = enumerate(self.level_sizes)
        return tuple(level for level, (rows, columns) in sizes if rows * columns <= self.attention_positions)

    def accepts(self) -> TensorSpec:
        """Images of this size, and a class where the model has classes."""
        sizes = (self.channels, self.height, self.width)
        axes = ("channels", "height", "width")
        slots = {TARGET: Slot(kind="values", axes=axes, sizes=sizes, minimum=-self.limit, maximum=self.limit)}
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size, channels, range and classes of what a codec makes."""
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        channels, height, width = made[TARGET].sizes
        classes = made[CLASS].vocabulary if CLASS in made else 0
        limit = made[TARGET].maximum
        return self.changed(channels=channels, height=height, width=width, limit=limit, classes=classes or 0)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""

        counts = {
            features: self._with_features(features).parameter_count()
            for features in range(FEATURE_STEP, 1024 + FEATURE_STEP, FEATURE_STEP)
        }
        return self._with_features(min(counts, key=lambda features: abs(counts[features] - parameters)))

    def _with_features(self, features: int) -> Self:
        return self.changed(features=features, embedding_width=size.embedding_width(features))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return size.parameter_count(self)

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image: three times the forward pass."""
        return 3.0 * size.forward_operations(self)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value."""
        return 2.0 * size.activation_values(self)
