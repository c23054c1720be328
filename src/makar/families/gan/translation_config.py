"""Settings and exact sizes of the models that translate images: pix2pix from pairs, CycleGAN from two domains; no torch.

Both have the same two networks. A translator: encoder and decoder of ``makar.nn.autoencoder``, joined at every level (Ronneberger et al.
2015, arXiv 1505.04597), and two convolutions at full resolution that see the given image again. A judge of patches (Isola et al. 2017,
arXiv 1611.07004, section 3.2.2). CycleGAN has two of each. A test compares the counts with the built networks.
"""

import abc
import dataclasses
import itertools
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
)
from makar.families.gan.config import LARGEST_FEATURES, WIDEST, AdversarialConfig, halved_sizes
from makar.tensor_spec import CLASS, SOURCE, TARGET, Slot, TensorSpec

FEATURE_STEP = 4
SMALLEST_FOLDED = 24
"""From this side on, in pixels, two by two pixels are folded into a position."""

JUDGED_LEVELS = 3
"""Resolutions of the judge: an answer is about a patch of half of the image or less, at 64 x 64 pixels."""

DOMAINS = 2
PUBLISHED_SIDE = 256
"""Pixels of a side for which the weights of pix2pix were published."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranslationConfig(AdversarialConfig, abc.ABC):
    """Settings that both have."""

    edits: ClassVar[tuple[str, ...]] = ("translate",)
    pairs_of_networks: ClassVar[int]
    """Translators, and judges."""

    judges_the_given: ClassVar[bool]
    """Whether the judge sees what an image was made from."""

    zoom: float = setting(
        0.0,
        meaning="while learning, images are enlarged by this share and cut to their size at a place drawn by lot, pairs alike",
        minimum=0.0,
        maximum=1.0,
    )
    penalty: float = setting(1.0, meaning="weight of the penalty, the gamma of R1 and R2", minimum=0.0, maximum=1000.0)
    depth: int = setting(8, meaning="times that a translator halves the image, as far as 4 x 4", minimum=1, maximum=8)
    blocks: int = setting(
        2, meaning="residual blocks a level, on the way down and on the way up", minimum=1, maximum=16
    )

    @property
    def patch(self) -> int:
        """Pixels that are folded into one position, along each side."""
        return 2 if min(self.height, self.width) >= SMALLEST_FOLDED else 1

    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of every level of the translator, the finest first."""
        return halved_sizes(-(-self.height // self.patch), -(-self.width // self.patch))[: self.depth + 1]

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of every level of the translator, the finest first."""
        return tuple(self.features * min(WIDEST, 2**level) for level in range(len(self.level_sizes)))

    @property
    def judge_widths(self) -> tuple[int, ...]:
        """Channels of every resolution of the judge, the finest first."""
        return tuple(self.features * 2**level for level in range(JUDGED_LEVELS))

    @property
    def detail(self) -> int:
        """Channels at full resolution."""
        return max(4, self.features // 2)

    @property
    def judged_channels(self) -> int:
        """Channels that the judge sees."""
        return self.channels * (2 if self.judges_the_given else 1)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""
        counts = {
            features: self.changed(features=features).parameter_count()
            for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)
        }
        return self.changed(features=min(counts, key=lambda features: abs(counts[features] - parameters)))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters of all networks."""
        widths, judge = self.level_widths, self.judge_widths
        translator = encoder_parameters(self._levels(self.channels)) + decoder_parameters(self._levels(self.detail))
        translator += sum(affine(width, width) for width in widths[:-1])
        translator += affine(9 * (self.detail + self.channels), self.detail) + affine(9 * self.detail, self.channels)
        count = affine(9 * self.judged_channels * self.patch**2, judge[0])
        for fine, coarse in itertools.pairwise(judge):
            count += affine(9 * fine, fine) + affine(9 * fine, coarse) + fine * coarse
        count += affine(9 * judge[-1], judge[-1]) + affine(judge[-1], 1)
        return self.pairs_of_networks * (translator + count)

    def forward_operations(self) -> tuple[float, float]:
        """Return operations of one pass of a translator and of a judge over one image; norms and activations are left out."""
        widths, judge, pixels = self.level_widths, self.judge_widths, self.height * self.width
        places = [rows * columns for rows, columns in self.level_sizes]
        translator = encoder_operations(self._levels(self.channels)) + encoder_operations(self._levels(self.detail))
        translator += 2.0 * sum(width * width * count for width, count in zip(widths[:-1], places))
        translator += 18.0 * pixels * self.detail * (self.detail + 2 * self.channels)
        products = 9.0 * self.judged_channels * self.patch**2 * judge[0] * places[0]
        here = float(places[0])
        for fine, coarse in itertools.pairwise(judge):
            products += 9 * fine * fine * here + 10 * fine * coarse * here / 4
            here /= 4
        products += 9 * judge[-1] * judge[-1] * here
        return translator, 2.0 * products

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image, the penalties spread over the steps between them."""
        translator, judge = self.forward_operations()
        # Judge: an image made, two judged and gone back through. Translator: the passes below; an image judged, and gone back through
        # for the image alone; the relativistic objective judges a real image as well.
        passes = 6.0 + 2.0 + (1.0 if self.objective == "relativistic" else 0.0)
        total = (1.0 + 3.0 * self.translations) * translator + passes * judge
        if self.penalised_images:
            made = translator if self.penalised == "both" else 0.0
            total += (6.0 * self.penalised_images * judge + made) / self.penalty_every
        return total

    @property
    @abc.abstractmethod
    def translations(self) -> int:
        """Translations of an image that the translators learn from."""

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value, all networks."""
        values = activation_values(self._levels(self.channels)) + activation_values(self._levels(self.detail))
        values += 3.0 * self.height * self.width * (self.detail + self.channels)
        return 2.0 * (self.translations * values + 2 * activation_values(self._levels(self.judged_channels)))

    def _levels(self, channels: int) -> Levels:
        return Levels(
            pixels=channels * self.patch**2, widths=self.level_widths, sizes=self.level_sizes, blocks=self.blocks
        )

    def _image(self) -> Slot:
        sizes = (self.channels, self.height, self.width)
        return Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)

    def _sized(self, made: TensorSpec) -> Self:
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        channels, height, width = made[TARGET].sizes
        return self.changed(channels=channels, height=height, width=width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2pixConfig(TranslationConfig):
    """Settings of a model that learns from pairs."""

    kind: ClassVar[str] = "pix2pix"
    target: ClassVar[str] = "makar.families.gan.pix2pix_family:Pix2pixFamily"
    pairs_of_networks: ClassVar[int] = 1
    judges_the_given: ClassVar[bool] = True

    difference: float = setting(
        100.0,
        meaning="weight of the mean difference to the real image, beside what the judge says, at 256 x 256 pixels; at fewer it falls "
        "with the side",
        minimum=0.0,
        maximum=10_000.0,
    )

    @property
    def difference_here(self) -> float:
        """The weight at this size: the slope of a mean over n values has length 1 / root n, and is to push an image as hard at any size."""
        return self.difference * math.sqrt(self.height * self.width) / PUBLISHED_SIDE

    @property
    def translations(self) -> int:
        """One image is made from the other."""
        return 1

    def accepts(self) -> TensorSpec:
        """Pairs of images of this size."""
        return TensorSpec({TARGET: self._image(), SOURCE: self._image()})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size and channels of what a codec makes."""
        return self._sized(made)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleganConfig(TranslationConfig):
    """Settings of a model that learns from two domains without pairs."""

    kind: ClassVar[str] = "cyclegan"
    target: ClassVar[str] = "makar.families.gan.cyclegan_family:CycleganFamily"
    balanced_by: ClassVar[str | None] = CLASS
    pairs_of_networks: ClassVar[int] = 2
    judges_the_given: ClassVar[bool] = False

    depth: int = setting(2, meaning="times that a translator halves the image, as far as 4 x 4", minimum=1, maximum=8)
    cycle: float = setting(
        10.0,
        meaning="weight of the mean difference between an image and what comes back from the other domain",
        minimum=0.0,
        maximum=10_000.0,
    )
    identity: float = setting(
        5.0,
        meaning="weight of the mean change of an image that is in the domain already; 0 leaves it out",
        minimum=0.0,
        maximum=10_000.0,
    )
    history: int = setting(
        50, meaning="made images of each domain that the judge may see again; 0 keeps none", minimum=0, maximum=1000
    )

    @property
    def translations(self) -> int:
        """An image goes to the other domain and back, and through the translator into its own."""
        return 3 if self.identity > 0 else 2

    def accepts(self) -> TensorSpec:
        """Images of this size, and which of the two domains each is of."""
        return TensorSpec({TARGET: self._image(), CLASS: Slot(kind="tokens", axes=(), sizes=(), vocabulary=DOMAINS)})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size and channels of what a codec makes."""
        count = made[CLASS].vocabulary if CLASS in made else 0
        if count != DOMAINS:
            raise ConfigError(
                f"{count} domains to translate between" if count else "images of no domain",
                expected="two: the labels of the images are their domains",
                do="give a folder with two folders of images, such as A and B",
            )
        return self._sized(made)
