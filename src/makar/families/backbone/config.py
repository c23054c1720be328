"""Settings of the network that makes backbones of proteins; no torch."""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.codecs.backbone_config import AXES, LONGEST_VECTOR, VECTORS
from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import affine
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

FRAMES = 3
"""In which a residue says how its bonds move: its own, that of the peptide group behind it and that of the one before it."""

DISTANCES = 16
"""Ranges that the distance of two residues is told by."""

PAIR_FEATURES = DISTANCES + 1 + 3 + 9
"""Of two residues: how far, in which direction, and how the other one is turned."""

FARTHEST_OFFSET = 32
"""Places along the chain that are told apart."""

PLACE_WAVES = 8
"""Sines, and as many cosines, of a place."""

TIME_WAVES = 64
WIDTHS = tuple(range(32, 1025, 16))
DEEPEST = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackboneConfig(FamilyConfig):
    """Settings of the family of backbones."""

    kind: ClassVar[str] = "backbone-flow"
    target: ClassVar[str] = "makar.families.backbone.family:BackboneFamily"
    item_name: ClassVar[str] = "backbone"
    batching: ClassVar[Literal["items", "windows", "ragged"]] = "items"

    longest: int = setting(64, meaning="residues of the longest backbone", minimum=2, maximum=1024)
    classes: int = setting(0, meaning="number of classes that can be asked for; 0 for none", minimum=0)
    class_dropout: float = setting(
        0.1, meaning="share of the examples whose class is hidden, for guidance", minimum=0.0, maximum=1.0
    )
    width: int = setting(96, meaning="channels of a residue", minimum=16, maximum=4096)
    blocks: int = setting(4, meaning="number of blocks", minimum=1, maximum=64)
    head_width: int = setting(16, meaning="channels of an attention head", minimum=4)
    pair_width: int = setting(24, meaning="channels of what is known of two residues", minimum=1, maximum=512)
    expansion: int = setting(3, meaning="hidden channels of a block, in its channels", minimum=1, maximum=8)
    reach: int = setting(3, meaning="neighbours to each side whose bonds a residue sees", minimum=0, maximum=16)
    time_mean: float = setting(
        0.5, meaning="mean logit of the training times; above 0 is nearer to the data", minimum=-5.0, maximum=5.0
    )
    time_deviation: float = setting(
        1.4, meaning="deviation of the logit of the training times; 0 trains at uniform times", minimum=0.0, maximum=5.0
    )

    def check(self) -> None:
        """Check the fields, and that heads divide the channels."""
        super().check()
        if self.width % self.head_width:
            raise ConfigError(
                f"{self.width} channels, heads have {self.head_width}",
                expected="channels that are a multiple of the head width",
            )

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // self.head_width

    @property
    def edits(self) -> tuple[str, ...]:
        """What any velocity can do."""
        return ("inpaint",)

    @property
    def residue_features(self) -> int:
        """What is seen of a residue at the entrance: the bonds around it from two frames, and its place from both ends."""
        return 2 * (2 * self.reach + 1) * VECTORS * AXES + 4 * PLACE_WAVES

    def accepts(self) -> TensorSpec:
        """Return bonds of backbones, and a class where the model has them."""
        slots = {
            TARGET: Slot(
                kind="values",
                axes=("axes", "vectors", "residues"),
                sizes=(AXES, VECTORS, self.longest),
                minimum=-LONGEST_VECTOR,
                maximum=LONGEST_VECTOR,
            )
        }
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the longest backbone and the classes of what a codec makes.

        Raises:
            ConfigError: It makes no backbones.
        """
        target = made.slots.get(TARGET)
        if target is None or target.axes != ("axes", "vectors", "residues"):
            raise ConfigError("the codec makes no backbones", expected='the codec "backbone"')
        return self.changed(longest=target.sizes[2], classes=(made[CLASS].vocabulary if CLASS in made else 0) or 0)

    def with_width(self, width: int) -> Self:
        """Return the copy with so many channels, and deeper the wider it is."""
        return self.changed(width=width, blocks=min(DEEPEST, 2 + width // 48))

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose width brings it nearest to this many parameters."""
        candidates = [self.with_width(width) for width in WIDTHS if width % self.head_width == 0]
        return min(candidates, key=lambda config: abs(config.parameter_count() - parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        width, pair, heads = self.width, self.pair_width, self.heads
        time = affine(TIME_WAVES, width) + affine(width, width) + affine(2 * PLACE_WAVES, width)
        classes = (self.classes + 1) * width if self.classes else 0
        pairs = affine(PAIR_FEATURES, pair) + (2 * FARTHEST_OFFSET + 1) * pair
        hidden = self.expansion * width
        attention = affine(width, 3 * width) + affine(pair, heads) + affine(width + heads * pair, width)
        block = affine(width, 6 * width) + attention + affine(width, hidden) + affine(hidden, width)
        ends = affine(self.residue_features, width) + affine(width, 2 * width) + affine(width, FRAMES * VECTORS * AXES)
        return time + classes + pairs + ends + self.blocks * block

    def training_operations(self) -> float:
        """Return floating-point operations to train on one backbone of the longest length."""
        width, pair, heads, count = self.width, self.pair_width, self.heads, self.longest
        each = self.residue_features * width + self.blocks * width * (
            4 * width + heads * pair + 2 * self.expansion * width
        )
        every = PAIR_FEATURES * pair + self.blocks * (2 * width + heads * pair + heads * pair)
        return 6.0 * (count * each + count * count * every + self.blocks * 6 * width * width)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one backbone."""
        width, count = self.width, self.longest
        each = self.residue_features + self.blocks * width * (10 + 3 * self.expansion)
        every = PAIR_FEATURES + 3 * self.pair_width + self.blocks * 4 * self.heads
        return 4.0 * (count * each + count * count * every)
