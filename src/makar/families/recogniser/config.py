"""Settings of the network that writes down what it hears; no torch."""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.codecs.transcript_config import FRAMES_A_STEP
from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import affine
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

TRANSCRIPT = "transcript"
WIDTHS = tuple(range(16, 1025, 16))
DEEPEST = 16
VALUES_A_BLOCK = 5
"""What a block keeps for its backward pass beside its hidden channels, in its channels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecogniserConfig(FamilyConfig):
    """Settings of a recogniser of speech."""

    kind: ClassVar[str] = "recogniser"
    target: ClassVar[str] = "makar.families.recogniser.family:RecogniserFamily"
    item_name: ClassVar[str] = "recording"
    batching: ClassVar[Literal["items", "windows", "ragged"]] = "items"
    predictions: ClassVar[tuple[str, ...]] = (TRANSCRIPT,)

    mels: int = setting(80, meaning="bands of pitch", minimum=4, maximum=256)
    frames: int = setting(192, meaning="frames that are heard at once", minimum=FRAMES_A_STEP, maximum=1 << 16)
    letters: int = setting(256, meaning="letters of a transcript at most", minimum=1, maximum=1 << 16)
    vocabulary: int = setting(40, meaning="different letters, and the token for nothing new", minimum=2)
    width: int = setting(128, meaning="channels of a step", minimum=8, maximum=4096)
    depth: int = setting(6, meaning="number of blocks", minimum=1, maximum=64)
    reach: int = setting(4, meaning="steps that a block sees to each side", minimum=1, maximum=64)
    expansion: int = setting(2, meaning="hidden channels of a block, in its channels", minimum=1, maximum=8)
    dropout: float = setting(0.1, meaning="share of hidden channels left out while training", minimum=0.0, maximum=0.9)
    time_masks: int = setting(2, meaning="stretches of time hidden while training", minimum=0, maximum=64)
    longest_mask: int = setting(16, meaning="frames of a hidden stretch at most", minimum=1, maximum=1 << 12)
    band_masks: int = setting(2, meaning="ranges of pitch hidden while training", minimum=0, maximum=64)
    widest_mask: int = setting(12, meaning="bands of a hidden range at most", minimum=1, maximum=256)
    loudness_shift: float = setting(
        0.15,
        meaning="how much louder or quieter recordings are made while training",
        unit="80 dB",
        minimum=0.0,
        maximum=1.0,
    )
    noise_share: float = setting(
        0.1,
        meaning="share of recordings that are replaced by noise in which nothing is said, while training",
        minimum=0.0,
        maximum=0.9,
    )
    beam: int = setting(
        8,
        meaning="beginnings of a transcript that are pursued; 1 takes the likeliest letter at every step",
        minimum=1,
        maximum=256,
    )

    @property
    def steps(self) -> int:
        """Places at which a letter may be written."""
        return self.frames // FRAMES_A_STEP

    def accepts(self) -> TensorSpec:
        """Return pictures of sounds whose bands are channels, with transcripts."""
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=(self.mels, 1, self.frames)),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(self.letters,), vocabulary=self.vocabulary),
            }
        )

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the bands, frames and letters of what a codec makes.

        Raises:
            ConfigError: It makes no pictures of sounds with transcripts.
        """
        target = made.slots.get(TARGET)
        if target is None or len(target.sizes) != 3 or target.sizes[1] != 1 or CAPTION not in made:
            raise ConfigError("the codec makes no frames with transcripts", expected='the codec "transcript"')
        mels, _, frames = target.sizes
        return self.changed(
            mels=mels, frames=frames, letters=made[CAPTION].sizes[0], vocabulary=made[CAPTION].vocabulary
        )

    def with_width(self, width: int) -> Self:
        """Return the copy with so many channels, and deeper the wider it is."""
        return self.changed(width=width, depth=min(DEEPEST, 2 + round(width / 32)))

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose width brings it nearest to this many parameters."""
        candidates = [self.with_width(width) for width in WIDTHS]
        return min(candidates, key=lambda config: abs(config.parameter_count() - parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        width, hidden = self.width, self.width * self.expansion
        look = width * (2 * self.reach + 1) + width
        block = look + affine(width, hidden) + affine(hidden, width)
        return affine(FRAMES_A_STEP * self.mels, width) + self.depth * block + affine(width, self.vocabulary)

    def training_operations(self) -> float:
        """Return operations to train on one recording, forward and backward."""
        width = self.width
        block = width * (2 * self.reach + 1) + 2 * width * width * self.expansion
        weights = FRAMES_A_STEP * self.mels * width + self.depth * block + width * self.vocabulary
        return 6.0 * self.steps * weights

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one recording."""
        block = self.width * (VALUES_A_BLOCK + 3 * self.expansion)
        return 4.0 * self.steps * (self.depth * block + 3 * FRAMES_A_STEP * self.mels + 4 * self.vocabulary)
