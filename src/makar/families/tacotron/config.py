"""Settings of Tacotron: how wide the reader of what is spoken, the recurrent decoder and the network behind it are.

Source: Shen et al. 2018, Tacotron 2, arXiv 1712.05884, section 2.2. Which unit is spoken in a frame is known here, from the recordings in
training and from learned durations in speaking, and so there is no attention to learn.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CLASS, SOURCE, TARGET, Slot, TensorSpec

TAPS = 5
READING_LAYERS, LATER_LAYERS = 3, 5
CHANNEL_STEP, MOST_CHANNELS = 16, 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class TacotronConfig(FamilyConfig):
    """Settings of Tacotron's decoder with known durations."""

    kind: ClassVar[str] = "tacotron"
    target: ClassVar[str] = "makar.families.tacotron.family:TacotronFamily"
    item_name: ClassVar[str] = "recording"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("control",)

    bands: int = setting(80, meaning="bands of a frame", minimum=1, maximum=1024)
    frames: int = setting(192, meaning="frames of a recording", minimum=4)
    planes: int = setting(43, meaning="numbers that say what is spoken in a frame", minimum=3, maximum=4096)
    classes: int = setting(0, meaning="voices; 0 learns one", minimum=0)
    channels: int = setting(128, meaning="channels of the reader of what is spoken", minimum=8, maximum=MOST_CHANNELS)
    recurrent: int = setting(320, meaning="width of the two recurrent layers", minimum=8, maximum=4096)
    narrow: int = setting(
        128, meaning="width of the two layers through which the decoder sees what it said last", minimum=8, maximum=1024
    )
    dropout: float = setting(
        0.5, meaning="share of these layers that is left out, in speaking too", minimum=0.0, maximum=0.9
    )
    later: int = setting(128, meaning="channels of the network that mends what was said", minimum=8, maximum=1024)
    together: int = setting(2, meaning="frames that are said at once", minimum=1, maximum=8)

    def check(self) -> None:
        """Check the fields, and that frames come out even."""
        super().check()
        if self.frames % self.together:
            raise ConfigError(
                f"{self.frames} frames, {self.together} at once", expected="frames that so many divide without rest"
            )

    def accepts(self) -> TensorSpec:
        """Frames, what is spoken in each, and where voices are told apart a class."""
        axes = ("channels", "height", "width")
        slots = {
            TARGET: Slot(kind="values", axes=axes, sizes=(self.bands, 1, self.frames)),
            SOURCE: Slot(kind="values", axes=axes, sizes=(self.planes, 1, self.frames)),
        }
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the sizes of what a codec makes.

        Raises:
            ConfigError: It does not say what is spoken in each frame.
        """
        if SOURCE not in made or made[TARGET].sizes[1:] != made[SOURCE].sizes[1:] or made[TARGET].sizes[1] != 1:
            raise ConfigError("the codec does not say what is spoken in each frame", expected='the codec "speech"')
        bands, _, frames = (size or 0 for size in made[TARGET].sizes)
        return self.changed(
            bands=bands,
            frames=frames,
            planes=made[SOURCE].sizes[0],
            classes=(made[CLASS].vocabulary or 0) if CLASS in made else 0,
        )

    def with_channels(self, channels: int) -> Self:
        """Return a copy with so many channels, and other widths to match."""
        return self.changed(channels=channels, recurrent=5 * channels // 2, narrow=channels, later=channels)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose channels bring it nearest to this many parameters."""
        sizes = (self.with_channels(number) for number in range(CHANNEL_STEP, MOST_CHANNELS + 1, CHANNEL_STEP))
        return min(sizes, key=lambda size: abs(size.parameter_count() - parameters))

    def _weights(self) -> tuple[int, int, int]:
        """Return weights of matrices of the reader, of a step of the decoder, and of the network behind it."""
        width, recurrent, narrow, later = self.channels, self.recurrent, self.narrow, self.later
        read = self.planes * TAPS * width + (READING_LAYERS - 1) * TAPS * width**2
        told = self.together * width
        step = self.bands * narrow + narrow**2 + 4 * recurrent * (narrow + told + recurrent) + 8 * recurrent**2
        step += (recurrent + told) * (self.together * self.bands + 1)
        return read, step, TAPS * later * (2 * self.bands + (LATER_LAYERS - 2) * later)

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        biases = READING_LAYERS * 3 * self.channels + 2 * self.narrow + 16 * self.recurrent
        biases += self.together * self.bands + 1 + (LATER_LAYERS - 1) * self.later + self.bands
        return sum(self._weights()) + biases + self.classes * self.channels

    def training_operations(self) -> float:
        """Return floating-point operations to train on one recording: three times the forward pass."""
        read, step, later = self._weights()
        return 6.0 * self.frames * (read + step / self.together + later)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one recording, at four bytes a value."""
        a_frame = 6 * self.channels + 12 * self.recurrent / self.together + LATER_LAYERS * 2 * self.later
        return 4.0 * self.frames * (a_frame + 8 * self.bands)
