"""Settings of image models that denoise: what is predicted, sizes of image and network, classes, captions, source, times of training.

The exact counts are in ``size``, ``size_dit`` and ``size_text``; the sizes that suit an amount of compute and data are in
``makar.recipes.image``. Settings that only the other network or the other objective reads are refused.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.diffusion import size, size_control, size_dit, size_judge, size_text
from makar.families.diffusion.config_checks import SOURCE_EDIT, check_frames, check_judge, check_source, refuse_unread
from makar.families.edits import EDITS
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CAPTION, CLASS, SCORE, SOURCE, TARGET, Slot, TensorSpec

FEATURE_STEP = 16
"""Features grow in steps of this, because matrix products do."""

MULTIPLIERS = (1, 2)
ATTENTION_POSITIONS = 64
TIME_MEAN, TIME_DEVIATION = 0.0, 1.0
PATH_STEPS = 10
"""Steps of the path to an image that a distilled model learns from."""
STUDENT_STEPS, MOST_STUDENT_STEPS = 2, 4

WITHOUT_SOURCE = ("image-to-image", "restyle", "inpaint", "interpolate", "interpolate-seeds")
OF_A_VECTOR = ("interpolate", "interpolate-seeds")
OF_A_CLIP = ("image-to-image", "inpaint", "interpolate", "interpolate-seeds")
SOURCE_EDITS = tuple(name for name, edit in EDITS.items() if edit.slots == (SOURCE,) and name != "image-to-image")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffusionConfig(FamilyConfig):
    """Settings of an image model."""

    kind: ClassVar[str] = "diffusion"
    target: ClassVar[str] = "makar.families.diffusion.family:DiffusionFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    previews: ClassVar[bool] = True

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=1, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=1, maximum=1024)
    channels: int = setting(
        3, meaning="1 grey, 3 colour, 4 colour with alpha; of clips those of all frames", minimum=1, maximum=1024
    )
    frames: int = setting(
        1,
        meaning="more than 1 makes clips of so many frames: known ones, or parts of them, are given to the network, which finds the rest",
        minimum=1,
        maximum=256,
    )
    picture_weight: float = setting(1.0, meaning="of clips: weight of a picture in the loss", minimum=0.0, maximum=9.0)
    limit: float = setting(1.0, meaning="largest value: 1 for pixels; latents go further", minimum=0.1, maximum=100.0)
    classes: int = setting(0, meaning="number of classes that can be asked for; 0 learns none", minimum=0)
    caption_length: int = setting(0, meaning="tokens of a caption; 0 learns none", minimum=0, maximum=4096)
    caption_vocabulary: int = setting(0, meaning="number of different caption tokens", minimum=0)
    caption_width: int = setting(128, meaning="channels of a caption token", minimum=8, maximum=4096)
    caption_layers: int = setting(2, meaning="blocks of the network that reads captions", minimum=0, maximum=48)
    source_height: int = setting(
        0, meaning="height of the source, an image to which the model finds another; 0: it is given none", minimum=0
    )
    source_width: int = setting(0, meaning="width of the source", minimum=0)
    source_channels: int = setting(
        0,
        meaning="channels of the source; one of a single pixel is a vector, which is read like a caption",
        minimum=0,
        maximum=1024,
    )
    source_edit: str = setting(
        SOURCE_EDIT, meaning="with a source: what making an image from it is called", choices=SOURCE_EDITS
    )
    source_noise: float = setting(
        0.0,
        meaning="with a source: noise up to this deviation, as a share of black to white, is added to it in training, and the "
        "network is told how much",
        minimum=0.0,
        maximum=1.0,
    )
    control: bool = setting(
        False,
        meaning="with a source: leave the network as it is in the model to begin from, and steer it by a trainable copy of its way down",
    )
    objective: str = setting(
        "flow",
        meaning="what is predicted: flow is the velocity on the straight path, ddpm the noise of 1,000 linear steps",
        choices=("flow", "ddpm"),
    )
    network: str = setting(
        "unet", meaning="unet sees places by convolution, dit patches by attention", choices=("unet", "dit")
    )
    features: int = setting(
        48, meaning="channels of the first level of the U-Net, or of a token of the DiT", minimum=8, maximum=4096
    )
    multipliers: tuple[int, ...] = setting(
        MULTIPLIERS, meaning="unet: channels of every level, in features; each level halves the resolution"
    )
    blocks: int = setting(
        1, meaning="unet: blocks a level, on the way down and again on the way up; dit: blocks", minimum=1, maximum=48
    )
    expansion: int = setting(1, meaning="channels inside a block, in channels of its level", minimum=1, maximum=16)
    patch: int = setting(2, meaning="pixels that are folded into one position, along each side", choices=(1, 2, 4))
    attention_positions: int = setting(
        ATTENTION_POSITIONS,
        meaning="unet: levels with at most this many positions attend to all of them; 0 never",
        minimum=0,
        maximum=4096,
    )
    head_width: int = setting(32, meaning="channels of an attention head", minimum=8)
    embedding_width: int = setting(96, meaning="length of the vector of time and condition", minimum=8)
    class_dropout: float = setting(
        0.1, meaning="share of the examples whose class and caption are hidden, for guidance", minimum=0.0, maximum=1.0
    )
    time_mean: float = setting(
        TIME_MEAN,
        meaning="flow: mean logit of the training times; above 0 is nearer to the data",
        minimum=-5.0,
        maximum=5.0,
    )
    time_deviation: float = setting(
        TIME_DEVIATION,
        meaning="flow: deviation of the logit of the training times; 0 trains at uniform times",
        minimum=0.0,
        maximum=5.0,
    )
    distilled: bool = setting(
        False,
        meaning="learn from a teacher how its paths go on, and make images in few steps; needs a model to begin from",
    )
    student_steps: int = setting(
        STUDENT_STEPS, meaning="distilled: steps in which an image is made", minimum=1, maximum=MOST_STUDENT_STEPS
    )
    guided: float = setting(
        1.0,
        meaning="distilled: the weight of guidance that is learned from the teacher; 1 is the teacher itself",
        minimum=0.0,
        maximum=20.0,
    )
    judged: float = setting(
        0.0,
        meaning="distilled: weight of a judge that tells made images from real ones; 0 has none",
        minimum=0.0,
        maximum=100.0,
    )
    preference: float = setting(
        0.0,
        meaning="how much is learned of images that people like less: one of score s weighs exp((s - 1) / preference); 0 takes all alike",
        minimum=0.0,
        maximum=10.0,
    )
    flip: bool = setting(False, meaning="learn mirrored images too; wrong for letters and digits")

    def check(self) -> None:
        """Check the fields, that heads divide what attends, and that nothing is set that would be ignored."""
        super().check()
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers are {self.multipliers}", expected="at least one, each at least 1")
        for what, channels in self._attending():
            if channels % max(1, channels // self.head_width):
                raise ConfigError(
                    f"{what} has {channels} channels, heads have {self.head_width}",
                    expected="channels that are a multiple of the head width, or fewer than twice it",
                )
        if self.caption_length and self.caption_vocabulary < 2:
            raise ConfigError(f"captions of {self.caption_vocabulary} tokens", expected="a vocabulary of at least 2")
        check_source(self)
        check_frames(self)
        check_judge(self)
        if not self.distilled:
            unread: dict[str, object] = {"guided": 1.0, "student_steps": STUDENT_STEPS, "judged": 0.0}
            refuse_unread(self, unread, "the model is not distilled")
        else:
            refuse_unread(self, {"preference": 0.0}, "a student learns what its teacher makes")
        if self.network == "dit":
            unread = {"multipliers": MULTIPLIERS, "attention_positions": ATTENTION_POSITIONS}
            refuse_unread(self, unread, "a DiT has one level, which attends")
        if self.objective == "ddpm":
            unread = {"time_mean": TIME_MEAN, "time_deviation": TIME_DEVIATION}
            refuse_unread(self, unread, "a ddpm trains at uniform steps")

    def _attending(self) -> list[tuple[str, int]]:
        """Return name and channels of everything that attends."""
        captions = [("the reader of captions", self.caption_width)] if self.text_width else []
        if self.network == "dit":
            return [*captions, ("the DiT", self.features)]
        return [*captions, *((f"level {level}", self.level_widths[level]) for level in self.attention_levels)]

    @property
    def edits(self) -> tuple[str, ...]:
        """With a source the one thing that was learned, without one what any velocity can do."""
        if self.source_is_vector:
            return (self.source_edit, *OF_A_VECTOR)
        if self.has_source:
            return (self.source_edit,)
        if self.frames > 1:
            return OF_A_CLIP
        return () if self.distilled else WITHOUT_SOURCE

    def teacher(self) -> "DiffusionConfig | None":
        """The model that a distilled one learns from: the same, before."""
        return (
            self.changed(distilled=False, judged=0.0, guided=1.0, student_steps=STUDENT_STEPS)
            if self.distilled
            else None
        )

    @property
    def has_source(self) -> bool:
        """Whether the network is given an image beside the noisy one."""
        return self.source_height > 0

    @property
    def source_is_vector(self) -> bool:
        """Whether the source is one vector an image, which has no place in it and is read like a caption."""
        return self.source_height == self.source_width == 1

    @property
    def vector_channels(self) -> int:
        """Length of that vector; 0 without."""
        return self.source_channels if self.source_is_vector else 0

    @property
    def source_fold(self) -> int:
        """Pixels of a side of the source that stand over one of the image, where the source is the larger one; else 1."""
        return max(1, self.source_height // self.height)

    @property
    def source_planes(self) -> int:
        """Channels that the source adds to what the network sees: its own, folded, and one that tells how noisy it is."""
        if self.source_is_vector:
            return 0
        return self.source_channels * self.source_fold**2 + (1 if self.source_noise else 0)

    @property
    def joined_planes(self) -> int:
        """Channels that the network itself sees beside those of the image: those of the source, unless a copy sees them for it."""
        return 0 if self.control else self.source_planes

    @property
    def frame_channels(self) -> int:
        """Channels of one frame; of images those of the image."""
        return self.channels // self.frames

    @property
    def seen_channels(self) -> int:
        """Channels of one frame that the network sees: of a clip also what is known of the frame, and one that says where that is."""
        known = self.frame_channels + 1 if self.frames > 1 else 0
        return self.frame_channels + self.joined_planes + known

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

    @property
    def patches(self) -> tuple[int, int]:
        """(rows, columns) of patches, the last of which may reach beyond the image."""
        return -(-self.height // self.patch), -(-self.width // self.patch)

    @property
    def text_width(self) -> int:
        """Channels of caption tokens, and of those that a vector is read as; 0 without both."""
        return self.caption_width if self.caption_length or self.source_is_vector else 0

    @property
    def context_length(self) -> int:
        """Tokens that the network attends to: those of the caption and those that a vector is read as."""
        return self.caption_length + (size_text.VECTOR_TOKENS if self.source_is_vector else 0)

    def accepts(self) -> TensorSpec:
        """Images of this size, and a class, a caption and a source where the model has them."""
        slots = {
            TARGET: Slot(
                kind="values",
                axes=("channels", "height", "width"),
                sizes=(self.channels, self.height, self.width),
                minimum=-self.limit,
                maximum=self.limit,
                frames=self.frames,
            )
        }
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        if self.caption_length:
            slots[CAPTION] = Slot(
                kind="tokens", axes=("length",), sizes=(self.caption_length,), vocabulary=self.caption_vocabulary
            )
        if self.preference:
            slots[SCORE] = Slot(kind="values", axes=(), sizes=(), minimum=0.0, maximum=1.0)
        if self.has_source:
            sizes = (self.source_channels, self.source_height, self.source_width)
            slots[SOURCE] = Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size, channels, classes, captions and source of what a codec makes."""
        if TARGET not in made or made[TARGET].axes != ("channels", "height", "width"):
            raise ConfigError("the codec makes no images", expected='a "target" of channels, height and width')
        channels, height, width = made[TARGET].sizes
        caption = made.slots.get(CAPTION)
        source = made[SOURCE].sizes if SOURCE in made else (0, 0, 0)
        return self.changed(
            source_channels=source[0],
            source_height=source[1],
            source_width=source[2],
            channels=channels,
            frames=made[TARGET].frames,
            height=height,
            width=width,
            limit=made[TARGET].maximum,
            classes=(made[CLASS].vocabulary if CLASS in made else 0) or 0,
            caption_length=(caption.sizes[0] if caption else 0) or 0,
            caption_vocabulary=(caption.vocabulary if caption else 0) or 0,
        )

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""
        step = self.feature_step
        counts = {
            features: self.with_features(features).parameter_count() for features in range(step, 1024 + step, step)
        }
        return self.with_features(min(counts, key=lambda features: abs(counts[features] - parameters)))

    @property
    def feature_step(self) -> int:
        """Difference between two numbers of features that are worth telling apart, and of which each can be built."""
        all_attend = self.network == "dit" or 0 in self.attention_levels
        return max(FEATURE_STEP, self.head_width) if all_attend else FEATURE_STEP

    def with_features(self, features: int) -> Self:
        """Return a copy with this many features and the embedding that goes with them."""
        measure = size.embedding_width if self.network == "unet" else size_dit.embedding_width
        return self.changed(features=features, embedding_width=measure(features))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        if self.control:
            return size_control.parameter_count(self)
        network = size.parameter_count(self) if self.network == "unet" else size_dit.parameter_count(self)
        return network + size_text.parameter_count(self) + size_judge.parameter_count(self)

    def training_operations(self) -> float:
        """Return floating-point operations to train on one image: three times the forward pass; distilled, a path and its points."""
        network = size.forward_operations(self) if self.network == "unet" else size_dit.forward_operations(self)
        passes = 3.0
        if self.distilled:
            # A judge looks at images that are made once more for it.
            each = 3.0 if self.judged == 0 else 4.0
            passes = each * self.student_steps + PATH_STEPS * (1 if self.guided == 1.0 else 2)
        return passes * (network + size_text.forward_operations(self)) + size_judge.operations(self)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value."""
        network = size.activation_values(self) if self.network == "unet" else size_dit.activation_values(self)
        return 2.0 * (self.student_steps if self.distilled else 1) * (network + size_text.activation_values(self))
