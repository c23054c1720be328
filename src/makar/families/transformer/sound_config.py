"""Settings of the decoder transformer over several streams of sound tokens, with its exact size and cost; no torch.

An example is: its class, where the model has classes; the tokens of its caption; one token that ends the text; then step by step the tokens
of all codebooks, each later by its number (``delay``). Beside every step may stand what a guide says of that moment: coarser tokens of
the same sound, or its melody; and what is sung in it, the units of the words frame by frame. One family for three designs, which differ in
what they are given: MusicGen (Copet et al. 2023, arXiv 2306.05284), the prior and the upsampler of Jukebox (Dhariwal et al. 2020, arXiv
2005.00341), the stages of MusicLM (Agostinelli et al. 2023, arXiv 2301.11325).
"""

import dataclasses
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.transformer.worded_config import WordedTransformerConfig, text_settings
from makar.tensor_spec import LYRICS, SOURCE, TARGET, Slot, TensorSpec

AXES = ("codebooks", "frames")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundTransformerConfig(WordedTransformerConfig):
    """A decoder transformer that predicts the tokens of a sound from its class, its caption, a guide and the tokens before."""

    kind: ClassVar[str] = "sound-transformer"
    target: ClassVar[str] = "makar.families.transformer.sound_family:SoundTransformerFamily"
    item_name: ClassVar[str] = "sound"

    codes: int = setting(256, meaning="number of different tokens of a codebook", minimum=2, maximum=65536)
    codebooks: int = setting(4, meaning="tokens of every moment", minimum=1, maximum=32)
    moments: int = setting(16, meaning="moments of a sound", minimum=1, maximum=65536)
    source_codes: int = setting(0, meaning="number of different tokens of the guide; 0 has none", minimum=0)
    source_codebooks: int = setting(1, meaning="tokens of every moment of the guide", minimum=1, maximum=32)
    source_moments: int = setting(1, meaning="moments of the guide", minimum=1, maximum=65536)
    source_edit: str = setting(
        "vary",
        meaning="what a sound is given for: vary, others with the same coarse tokens; control, others with its melody",
        choices=("vary", "control"),
    )
    source_dropout: float = setting(
        0.0,
        meaning="share of the examples whose guide is hidden; above 0 none need be given",
        minimum=0.0,
        maximum=0.95,
    )
    lyric_units: int = setting(
        0, meaning="number of different units that words are sung in; 0 knows no words", minimum=0
    )
    lyric_frames: int = setting(
        1, meaning="frames of a sound of which it is known what is sung", minimum=1, maximum=65536
    )
    lyric_dropout: float = setting(
        0.1,
        meaning="share of the examples whose words are hidden, besides those whose class is, so that none need be given",
        minimum=0.0,
        maximum=0.95,
    )

    @property
    def edits(self) -> tuple[str, ...]:
        """What another sound can be given for."""
        return (self.source_edit,) if self.source_codes else ()

    @property
    def content_positions(self) -> int:
        """Steps in which a sound is written."""
        return self.moments + self.codebooks - 1

    @property
    def content_vocabulary(self) -> int:
        """Different tokens of all codebooks, in each one more: nothing, before its row begins and after it has ended."""
        return self.codebooks * (self.codes + 1)

    @property
    def guide_rows(self) -> int:
        """Vectors of the guide: those of its tokens, and one a codebook where it is hidden; 0 without a guide."""
        return self.source_codebooks * (self.source_codes + 1) if self.source_codes else 0

    @property
    def lyric_places(self) -> int:
        """Frames of a moment of which it is told what is sung."""
        return max(1, round(self.lyric_frames / self.moments))

    @property
    def lyric_rows(self) -> int:
        """Vectors of the words: those of the units, and one where they are hidden, for every place in a moment; 0 without words."""
        return self.lyric_places * (self.lyric_units + 1) if self.lyric_units else 0

    def accepts(self) -> TensorSpec:
        """Return rows of tokens, and class, caption, guide and words where the model has them."""
        target = Slot(kind="tokens", axes=AXES, sizes=(self.codebooks, self.moments), vocabulary=self.codes)
        slots = {TARGET: target, **self.text_slots()}
        if self.source_codes:
            sizes = (self.source_codebooks, self.source_moments)
            slots[SOURCE] = Slot(kind="tokens", axes=AXES, sizes=sizes, vocabulary=self.source_codes)
        if self.lyric_units:
            slots[LYRICS] = Slot(
                kind="tokens", axes=("frames",), sizes=(self.lyric_frames,), vocabulary=self.lyric_units
            )
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codebooks, classes, captions, guide and words of what a codec makes.

        Raises:
            ConfigError: It makes no rows of tokens.
        """
        target = made.slots.get(TARGET)
        if target is None or target.kind != "tokens" or target.axes != AXES:
            raise ConfigError(
                "the codec makes no sound tokens",
                expected="a codec that works through an autoencoder of sounds",
                do='use a stage of family "sound-vqvae" before this one',
            )
        codebooks, moments = (int(size or 1) for size in target.sizes)
        guide = made.slots.get(SOURCE)
        rows, of_guide = (int(size or 1) for size in guide.sizes) if guide is not None else (1, 1)
        lyrics = made.slots.get(LYRICS)
        return self.changed(
            codes=target.vocabulary,
            codebooks=codebooks,
            moments=moments,
            **text_settings(made),
            source_codes=0 if guide is None else guide.vocabulary,
            source_codebooks=rows,
            source_moments=of_guide,
            lyric_units=0 if lyrics is None else lyrics.vocabulary,
            lyric_frames=1 if lyrics is None else lyrics.sizes[0],
        )

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return self.decoder.parameter_count() + (self.guide_rows + self.lyric_rows) * self.width

    def training_operations(self) -> float:
        """Return operations to train on one sound, forward and backward, with a caption of full length."""
        return self.block_operations() + 6.0 * self.width * self.moments * self.codebooks * self.codes
