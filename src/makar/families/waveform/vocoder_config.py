"""Settings of the vocoder: how wide and deep the network is that says size and phase of every frequency of every frame.

Source: Siuzdak 2023, Vocos, arXiv 2306.00814: nothing is enlarged step by step; blocks of ConvNeXt work at the rate of the frames, and one
inverse transform makes the samples.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import SOURCE, TARGET, Slot, TensorSpec

CHANNEL_STEP, MOST_CHANNELS = 16, 1024
TAPS = 7
"""Frames that a block sees."""

EXPANSION = 3
OVERLAP = 4
RESOLUTIONS = (1, 2, 4)
"""Windows of the judges and of the distance of spectra, in hops of the picture."""


def spectrum_parameters(inputs: int, *, channels: int, blocks: int, hop: int) -> int:
    """Return the parameters of a ``SpectrumNetwork``."""
    block = TAPS * channels + channels + 2 * channels + 2 * EXPANSION * channels**2 + (EXPANSION + 1) * channels
    block += channels
    outputs = OVERLAP * hop + 2
    return inputs * TAPS * channels + channels + 2 * channels + blocks * block + 2 * channels + (channels + 1) * outputs


def spectrum_operations(inputs: int, *, channels: int, blocks: int, hop: int) -> float:
    """Return floating-point operations of a ``SpectrumNetwork`` for one frame, forward."""
    products = inputs * TAPS * channels + blocks * (2 * EXPANSION * channels**2 + TAPS * channels)
    return 2.0 * (products + channels * (OVERLAP * hop + 2))


def judge_parameters(channels: int) -> int:
    """Return the parameters of the judges of all resolutions; none without channels."""
    if not channels:
        return 0
    first, further, last = 27 * channels + channels, 27 * channels**2 + channels, 9 * channels + 1
    return len(RESOLUTIONS) * (first + 2 * further + last)


def judge_operations(channels: int, *, hop: int) -> float:
    """Return floating-point operations of the judges for one frame of the picture, forward."""
    if not channels:
        return 0.0
    # A window of r hops moves by a quarter of itself and has 2 r hop frequencies over 4 / r frames: the same number at every resolution.
    places = 2.0 * hop
    each = places / 2 * 27 * channels + (places / 4 + places / 8) * 27 * channels**2 + places / 8 * 9 * channels
    return 2.0 * len(RESOLUTIONS) * each


@dataclasses.dataclass(frozen=True, kw_only=True)
class VocoderConfig(FamilyConfig):
    """Settings of a vocoder."""

    kind: ClassVar[str] = "vocoder"
    target: ClassVar[str] = "makar.families.waveform.vocoder_family:VocoderFamily"
    item_name: ClassVar[str] = "sound"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("reconstruct",)

    bands: int = setting(80, meaning="bands of the picture", minimum=1, maximum=1024)
    frames: int = setting(64, meaning="frames of an example", minimum=4)
    hop: int = setting(256, meaning="samples of a frame", minimum=4, maximum=4096)
    rate_hz: int = setting(
        16_000, meaning="samples a second, by which bands are heard", unit="Hz", minimum=1000, maximum=48_000
    )
    window: int = setting(48, meaning="frames of an example that a step learns from", minimum=4)
    channels: int = setting(192, meaning="channels of the blocks", minimum=8, maximum=MOST_CHANNELS)
    blocks: int = setting(6, meaning="blocks", minimum=1, maximum=64)
    judge_channels: int = setting(
        0,
        meaning="channels of the judges that tell made spectra from real ones; 0 learns without",
        minimum=0,
        maximum=512,
    )
    judged: float = setting(
        0.1, meaning="weight of what the judges say beside the distance of the spectra", minimum=0.0, maximum=10.0
    )

    def check(self) -> None:
        """Check the fields, and that the hop can be halved for the judges."""
        super().check()
        if self.hop % 4:
            raise ConfigError(f"hop is {self.hop}", expected="a multiple of 4")

    @property
    def samples(self) -> int:
        """Samples of an example."""
        return self.frames * self.hop

    def accepts(self) -> TensorSpec:
        """Samples as numbers and their picture."""
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("samples",), sizes=(self.samples,)),
                SOURCE: Slot(kind="values", axes=("bands", "frames"), sizes=(self.bands, self.frames)),
            }
        )

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the sizes of what a codec makes.

        Raises:
            ConfigError: It makes no samples as numbers, or no pictures of them.
        """
        is_numbers = TARGET in made and made[TARGET].axes == ("samples",) and made[TARGET].kind == "values"
        if not is_numbers or SOURCE not in made:
            raise ConfigError(
                "the codec makes no samples as numbers with their pictures",
                expected='the codec "wave" with coding samples and use_pictures',
            )
        bands, frames = (size or 0 for size in made[SOURCE].sizes)
        hop = (made[TARGET].sizes[0] or 0) // frames
        rate = int(made[TARGET].rate_hz or self.rate_hz)
        return self.changed(bands=bands, frames=frames, hop=hop, rate_hz=rate, window=min(self.window, frames))

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose channels bring it nearest to this many parameters; the depth stays."""
        sizes = (self.changed(channels=number) for number in range(CHANNEL_STEP, MOST_CHANNELS + 1, CHANNEL_STEP))
        return min(sizes, key=lambda size: abs(size.parameter_count() - parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters, the judges included."""
        own = spectrum_parameters(self.bands, channels=self.channels, blocks=self.blocks, hop=self.hop)
        return own + judge_parameters(self.judge_channels)

    def operations_a_frame(self) -> float:
        """Return floating-point operations of one frame, forward."""
        return spectrum_operations(self.bands, channels=self.channels, blocks=self.blocks, hop=self.hop)

    def training_operations(self) -> float:
        """Return floating-point operations to train on the window of one sound."""
        judges = judge_operations(self.judge_channels, hop=self.hop)
        return self.window * (3.0 * self.operations_a_frame() + 10.0 * judges)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one window, at four bytes a value."""
        own = self.blocks * (4 + 2 * EXPANSION) * self.channels + 30 * OVERLAP * self.hop
        return 4.0 * self.window * (own + 8.0 * self.hop * self.judge_channels)
