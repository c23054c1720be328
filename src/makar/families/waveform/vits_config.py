"""Settings of VITS: latents of a recording, a prior over them that a text gives, and a decoder from latents to samples.

Source: Kim et al. 2021, arXiv 2106.06103. Here which unit is spoken in a frame is known, from the recordings in training and from learned
durations in speaking, so nothing is aligned while it learns; the posterior sees the picture of bands and not all frequencies; the
decoder is that of the vocoder, one inverse transform.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.families.waveform.vocoder_config import (
    judge_operations,
    judge_parameters,
    spectrum_operations,
    spectrum_parameters,
)
from makar.tensor_spec import CLASS, SOURCE, TARGET, WAVE, Slot, TensorSpec

TAPS = 5
POSTERIOR_LAYERS, PRIOR_LAYERS, COUPLING_LAYERS = 4, 6, 2
CHANNEL_STEP, MOST_CHANNELS = 16, 1024


def stack_weights(inputs: int, outputs: int, *, channels: int, layers: int) -> int:
    """Return weights of the matrices of a stack of gated convolutions."""
    return inputs * channels + layers * (2 * TAPS * channels**2 + channels**2) + channels * outputs


def stack_parameters(inputs: int, outputs: int, *, channels: int, layers: int) -> int:
    """Return the parameters of a stack of gated convolutions."""
    weights = stack_weights(inputs, outputs, channels=channels, layers=layers)
    return weights + channels + layers * 3 * channels + outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class VitsConfig(FamilyConfig):
    """Settings of a VITS."""

    kind: ClassVar[str] = "vits"
    target: ClassVar[str] = "makar.families.waveform.vits_family:VitsFamily"
    item_name: ClassVar[str] = "recording"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("control",)

    bands: int = setting(80, meaning="bands of a frame", minimum=1, maximum=1024)
    frames: int = setting(192, meaning="frames of a recording", minimum=4)
    planes: int = setting(43, meaning="numbers that say what is spoken in a frame", minimum=3, maximum=4096)
    hop: int = setting(256, meaning="samples of a frame", minimum=4, maximum=4096)
    rate_hz: int = setting(
        16_000, meaning="samples a second, by which bands are heard", unit="Hz", minimum=1000, maximum=48_000
    )
    classes: int = setting(0, meaning="voices; 0 learns one", minimum=0)
    latent_channels: int = setting(64, meaning="latents of a frame", minimum=2, maximum=1024)
    channels: int = setting(128, meaning="channels of prior, posterior and decoder", minimum=8, maximum=MOST_CHANNELS)
    couplings: int = setting(4, meaning="steps of the flow between latents and prior", minimum=1, maximum=32)
    blocks: int = setting(6, meaning="blocks of the decoder", minimum=1, maximum=64)
    window: int = setting(32, meaning="frames of a recording whose samples a step makes", minimum=4)
    divergence: float = setting(
        0.05, meaning="weight of the divergence of posterior and prior, a latent", minimum=0.0, maximum=100.0
    )
    judge_channels: int = setting(
        8,
        meaning="channels of the judges that tell made spectra from real ones; 0 learns without",
        minimum=0,
        maximum=512,
    )
    judged: float = setting(
        0.1, meaning="weight of what the judges say beside the distance of the spectra", minimum=0.0, maximum=10.0
    )

    def check(self) -> None:
        """Check the fields, and that latents can be halved."""
        super().check()
        if self.latent_channels % 2 or self.hop % 4:
            raise ConfigError(
                f"{self.latent_channels} latents, hop {self.hop}",
                expected="an even number of latents, a hop that 4 divides",
            )

    @property
    def samples(self) -> int:
        """Samples of all frames."""
        return self.frames * self.hop

    def accepts(self) -> TensorSpec:
        """Frames, what is spoken in each, samples, and where voices are told apart a class."""
        axes = ("channels", "height", "width")
        slots = {
            TARGET: Slot(kind="values", axes=axes, sizes=(self.bands, 1, self.frames)),
            SOURCE: Slot(kind="values", axes=axes, sizes=(self.planes, 1, self.frames)),
            WAVE: Slot(kind="values", axes=("samples",), sizes=(self.samples,)),
        }
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the sizes of what a codec makes.

        Raises:
            ConfigError: It does not say what is spoken in each frame, or gives no samples.
        """
        if SOURCE not in made or WAVE not in made:
            raise ConfigError(
                "the codec does not say what is spoken, or gives no samples",
                expected='the codec "speech" with use_samples',
            )
        bands, _, frames = (size or 0 for size in made[TARGET].sizes)
        return self.changed(
            bands=bands,
            frames=frames,
            planes=made[SOURCE].sizes[0],
            hop=(made[WAVE].sizes[0] or 0) // frames,
            rate_hz=int(made[WAVE].rate_hz or self.rate_hz),
            window=min(self.window, frames),
            classes=(made[CLASS].vocabulary or 0) if CLASS in made else 0,
        )

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose channels bring it nearest to this many parameters."""
        sizes = (self.changed(channels=number) for number in range(CHANNEL_STEP, MOST_CHANNELS + 1, CHANNEL_STEP))
        return min(sizes, key=lambda size: abs(size.parameter_count() - parameters))

    def _stacks(self) -> tuple[tuple[int, int, int], ...]:
        """Return (inputs, outputs, layers) of every stack of gated convolutions."""
        half = self.latent_channels // 2
        return (
            (self.bands, 2 * self.latent_channels, POSTERIOR_LAYERS),
            (self.planes, 2 * self.latent_channels, PRIOR_LAYERS),
            *[(half, half, COUPLING_LAYERS)] * self.couplings,
        )

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters, the judges included."""
        count = sum(
            stack_parameters(inputs, outputs, channels=self.channels, layers=layers)
            for inputs, outputs, layers in self._stacks()
        )
        count += spectrum_parameters(self.latent_channels, channels=self.channels, blocks=self.blocks, hop=self.hop)
        return count + self.classes * (2 * self.channels + self.latent_channels) + judge_parameters(self.judge_channels)

    def training_operations(self) -> float:
        """Return floating-point operations to train on one recording and the window of its samples."""
        stacks = 2.0 * sum(
            stack_weights(inputs, outputs, channels=self.channels, layers=layers)
            for inputs, outputs, layers in self._stacks()
        )
        decoder = spectrum_operations(self.latent_channels, channels=self.channels, blocks=self.blocks, hop=self.hop)
        judges = judge_operations(self.judge_channels, hop=self.hop)
        return 3.0 * self.frames * stacks + self.window * (3.0 * decoder + 10.0 * judges)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one recording, at four bytes a value."""
        layers = sum(layers for _, _, layers in self._stacks())
        a_frame = layers * 8 * self.channels + 8 * self.latent_channels
        return 4.0 * (
            self.frames * a_frame
            + self.window * (self.blocks * 10 * self.channels + self.hop * (120 + 8 * self.judge_channels))
        )
