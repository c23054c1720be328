"""Settings of WaveNet: how wide and deep the stack of dilated causal convolutions is, and what it is told beside the samples.

Source: van den Oord et al. 2016, arXiv 1609.03499. A filter here has three taps and not two, and dilations grow threefold: the same
reach in fewer layers, and it is the number of layers that one sample after the other waits for.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CLASS, SOURCE, TARGET, Slot, TensorSpec

LEVELS = 256
"""Different samples; the token of this number stands before the beginning and behind the end."""

CHANNEL_STEP, MOST_CHANNELS = 8, 512
PICTURE_TAPS = 3
"""Frames of the picture that are seen at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WavenetConfig(FamilyConfig):
    """Settings of a WaveNet."""

    kind: ClassVar[str] = "wavenet"
    target: ClassVar[str] = "makar.families.waveform.wavenet_family:WavenetFamily"
    item_name: ClassVar[str] = "sound"
    batching: ClassVar[Literal["items", "windows"]] = "items"

    samples: int = setting(16_384, meaning="length of an example", unit="samples", minimum=16)
    window: int = setting(4096, meaning="samples of an example that a step learns from", minimum=16)
    channels: int = setting(40, meaning="channels of the stack and of its gates", minimum=8, maximum=MOST_CHANNELS)
    skip_channels: int = setting(96, meaning="channels in which all layers meet", minimum=8, maximum=4096)
    stacks: int = setting(2, meaning="times that the dilations grow from 1 again", minimum=1, maximum=16)
    layers: int = setting(5, meaning="layers of a stack", minimum=1, maximum=16)
    taps: int = setting(
        3, meaning="samples that a filter sees, and how many times wider every further layer of a stack sees", minimum=2,
        maximum=8,
    )  # fmt: skip
    classes: int = setting(0, meaning="number of classes that can be asked for; 0 learns none", minimum=0)
    bands: int = setting(0, meaning="bands of the picture that it is given; 0 is given none", minimum=0, maximum=1024)
    frames: int = setting(0, meaning="frames of that picture", minimum=0)

    @property
    def edits(self) -> tuple[str, ...]:
        """With a picture it finds how a picture sounds."""
        return ("reconstruct",) if self.bands else ()

    def check(self) -> None:
        """Check the fields, and that frames divide the samples."""
        super().check()
        if bool(self.bands) != bool(self.frames) or (self.frames and self.samples % self.frames):
            raise ConfigError(
                f"{self.bands} bands in {self.frames} frames for {self.samples} samples",
                expected="none of both, or frames of equally many samples",
            )

    @property
    def dilations(self) -> tuple[int, ...]:
        """Samples between the taps of every layer."""
        return tuple(self.taps**layer for _ in range(self.stacks) for layer in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """Samples before it that decide about a sample."""
        return 2 + (self.taps - 1) * sum(self.dilations)

    @property
    def hop(self) -> int:
        """Samples of a frame of the picture; 0 without one."""
        return self.samples // self.frames if self.frames else 0

    def accepts(self) -> TensorSpec:
        """Samples of this length, and where it is told a class and a picture."""
        slots = {TARGET: Slot(kind="tokens", axes=("samples",), sizes=(self.samples,), vocabulary=LEVELS + 1)}
        if self.bands:
            slots[SOURCE] = Slot(kind="values", axes=("bands", "frames"), sizes=(self.bands, self.frames))
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the sizes of what a codec makes.

        Raises:
            ConfigError: It makes no samples in steps.
        """
        if TARGET not in made or made[TARGET].axes != ("samples",) or made[TARGET].kind != "tokens":
            raise ConfigError("the codec makes no samples in steps", expected='the codec "wave" with coding mu-law')
        bands, frames = made[SOURCE].sizes if SOURCE in made else (0, 0)
        samples = made[TARGET].sizes[0] or 0
        return self.changed(
            samples=samples,
            window=min(self.window, samples),
            bands=bands,
            frames=frames,
            classes=(made[CLASS].vocabulary or 0) if CLASS in made else 0,
        )

    def with_channels(self, channels: int) -> Self:
        """Return a copy with so many channels, and twice as many where all layers meet."""
        return self.changed(channels=channels, skip_channels=2 * channels)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose channels bring it nearest to this many parameters; the depth stays."""
        sizes = (self.with_channels(number) for number in range(CHANNEL_STEP, MOST_CHANNELS + 1, CHANNEL_STEP))
        return min(sizes, key=lambda size: abs(size.parameter_count() - parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        width, skip, depth = self.channels, self.skip_channels, len(self.dilations)
        count = 2 * (LEVELS + 1) * width
        count += depth * (2 * width * self.taps * width + 2 * width)
        count += (depth - 1) * (width * width + width)
        count += skip * depth * width + skip + skip * skip + skip + LEVELS * skip + LEVELS
        count += self.classes * depth * 2 * width
        if self.bands:
            count += 2 * width * (self.bands * PICTURE_TAPS) + 2 * width + depth * 2 * width * 2 * width
        return count

    def operations_a_sample(self) -> float:
        """Return floating-point operations of one sample, forward."""
        width, skip, depth = self.channels, self.skip_channels, len(self.dilations)
        products = depth * (2 * width * self.taps * width + width * width + skip * width)
        return 2.0 * (products + skip * skip + LEVELS * skip)

    def training_operations(self) -> float:
        """Return floating-point operations to train on the window of one sound."""
        return 3.0 * self.window * self.operations_a_sample()

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one window, at four bytes a value."""
        width, depth = self.channels, len(self.dilations)
        return 4.0 * self.window * (depth * (self.taps + 8) * width + 3 * self.skip_channels + 2 * LEVELS)
