"""What the settings of adversarial image models share: sizes of the image, levels of resolution, objective, penalties, augmentation.

A level halves the resolution of the one before, rounded up, until a side has at most ``COARSEST`` positions: both networks then begin or
end at about 4 x 4, as published, and no pixel is computed in vain whatever the size of the image.
"""

import abc
import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

COARSEST = 4
FEATURE_STEP = 8
LARGEST_FEATURES = 512
WIDEST = 4
"""Channels of the coarsest levels, at most, in features of the finest."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialConfig(FamilyConfig, abc.ABC):
    """Settings of every pair of networks that play against each other over images."""

    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=8, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=8, maximum=256)
    channels: int = setting(3, meaning="1 grey, 3 colour, 4 colour with alpha", minimum=1, maximum=64)
    features: int = setting(32, meaning="channels of the finest level", minimum=4, maximum=4096)
    objective: str = setting(
        "relativistic",
        meaning="relativistic judges a real and a made image against each other; non-saturating judges each alone",
        choices=("relativistic", "non-saturating"),
    )
    penalised: str = setting(
        "both",
        meaning="at which images the slope of the discriminator is kept small: R1 at real ones, R2 at made ones",
        choices=("none", "real", "both"),
    )
    penalty: float = setting(0.1, meaning="weight of the penalty, the gamma of R1 and R2", minimum=0.0, maximum=1000.0)
    penalty_every: int = setting(8, meaning="steps from one penalty to the next; it weighs as much more", minimum=1)
    augmentation: float = setting(
        0.0,
        meaning="share of the images the discriminator sees moved, recoloured or cut into, each of the three for itself",
        minimum=0.0,
        maximum=1.0,
    )
    flip: bool = setting(False, meaning="learn mirrored images too; wrong for letters and digits")

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""
        counts = {
            features: self.changed(features=features).parameter_count()
            for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)
        }
        return self.changed(features=min(counts, key=lambda features: abs(counts[features] - parameters)))

    @property
    def penalised_images(self) -> int:
        """Images whose slope is looked at, for each that is learned from."""
        return {"none": 0, "real": 1, "both": 2}[self.penalised]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GanConfig(AdversarialConfig, abc.ABC):
    """Settings of the models that make images from nothing."""

    edits: ClassVar[tuple[str, ...]] = ("interpolate-seeds",)

    classes: int = setting(0, meaning="number of classes that can be asked for; 0 learns none", minimum=0)
    latent_width: int = setting(64, meaning="random numbers that an image is made from", minimum=2, maximum=4096)

    @property
    @abc.abstractmethod
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of every level, the finest first."""

    @property
    @abc.abstractmethod
    def level_widths(self) -> tuple[int, ...]:
        """Channels of every level, the finest first."""

    def accepts(self) -> TensorSpec:
        """Images of this size, and a class where the model has classes."""
        sizes = (self.channels, self.height, self.width)
        slots = {TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)}
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size, channels and classes of what a codec makes."""
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        channels, height, width = made[TARGET].sizes
        classes = made[CLASS].vocabulary if CLASS in made else 0
        return self.changed(channels=channels, height=height, width=width, classes=classes or 0)

    @abc.abstractmethod
    def forward_operations(self) -> tuple[float, float]:
        """Return floating-point operations of one pass of the generator and of the discriminator over one image."""

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image, the penalties spread over the steps between them."""
        generator, discriminator = self.forward_operations()
        # Discriminator: one image made, two judged and gone back through. Generator: made and gone back through; judged, and gone back
        # through for the image alone; the relativistic objective judges a real image as well.
        passes = 6.0 + 2.0 + (1.0 if self.objective == "relativistic" else 0.0)
        total = 4.0 * generator + passes * discriminator
        if self.penalised != "none":
            # A pass, the way back to the image, and the way back through both.
            images = 2.0 if self.penalised == "both" else 1.0
            made = generator if self.penalised == "both" else 0.0
            total += (6.0 * images * discriminator + made) / self.penalty_every
        return total


def halved_sizes(rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Return (rows, columns) of a level and of all below it, each half of the one before, rounded up.

    >>> halved_sizes(28, 28)
    ((28, 28), (14, 14), (7, 7), (4, 4))
    """
    sizes = [(rows, columns)]
    while min(sizes[-1]) > COARSEST:
        rows, columns = sizes[-1]
        sizes.append((-(-rows // 2), -(-columns // 2)))
    return tuple(sizes)
