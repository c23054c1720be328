"""Settings of the decoder transformer over several streams of sound tokens, with its exact size and cost; no torch.

An example is: its class, where the model has classes; the tokens of its caption; one token that ends the text; then step by step the tokens
of all codebooks, each later by its number (``delay``). Beside every step may stand what a guide says of that moment: coarser tokens of
the same sound, or its melody. One family for three designs, which differ in what they are given: MusicGen (Copet et al. 2023, arXiv
2306.05284), the prior and the upsampler of Jukebox (Dhariwal et al. 2020, arXiv 2005.00341), the stages of MusicLM (Agostinelli et al.
2023, arXiv 2301.11325).
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import CAPTION, CLASS, SOURCE, TARGET, Slot, TensorSpec

AXES = ("codebooks", "frames")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundTransformerConfig(FamilyConfig):
    """A decoder transformer that predicts the tokens of a sound from its class, its caption, a guide and the tokens before."""

    kind: ClassVar[str] = "sound-transformer"
    target: ClassVar[str] = "makar.families.transformer.sound_family:SoundTransformerFamily"
    item_name: ClassVar[str] = "sound"
    batching: ClassVar[Literal["items", "windows"]] = "items"

    codes: int = setting(256, meaning="number of different tokens of a codebook", minimum=2, maximum=65536)
    codebooks: int = setting(4, meaning="tokens of every moment", minimum=1, maximum=32)
    moments: int = setting(16, meaning="moments of a sound", minimum=1, maximum=65536)
    classes: int = setting(0, meaning="number of classes; 0 learns none", minimum=0)
    caption_length: int = setting(0, meaning="tokens of a caption; 0 learns none", minimum=0, maximum=4096)
    caption_vocabulary: int = setting(0, meaning="number of different caption tokens", minimum=0)
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
    depth: int = setting(4, meaning="number of blocks", minimum=1)
    width: int = setting(128, meaning="channels of the residual stream", minimum=2)
    heads: int = setting(4, meaning="attention heads a block", minimum=1)
    dropout: float = setting(0.0, meaning="share of channels dropped while training", minimum=0.0, maximum=0.9)
    class_dropout: float = setting(
        0.1, meaning="share of the examples whose class and caption are hidden, for guidance", minimum=0.0, maximum=1.0
    )

    def check(self) -> None:
        """Check the fields, and that the decoder is one that can be."""
        super().check()
        if self.caption_length and self.caption_vocabulary < 2:
            raise ConfigError(f"captions of {self.caption_vocabulary} tokens", expected="a vocabulary of at least 2")
        _ = self.decoder

    @property
    def edits(self) -> tuple[str, ...]:
        """What another sound can be given for."""
        return (self.source_edit,) if self.source_codes else ()

    @property
    def steps(self) -> int:
        """Steps in which a sound is written."""
        return self.moments + self.codebooks - 1

    @property
    def class_start(self) -> int:
        """First token of the classes; those of captions, and the one that ends the text, are below."""
        return max(1, self.caption_vocabulary if self.caption_length else 1)

    @property
    def sound_start(self) -> int:
        """First token of the first codebook; below it are the classes and the token for none of them."""
        return self.class_start + (self.classes + 1 if self.classes else 0)

    @property
    def longest_text(self) -> int:
        """Positions before those that predict the sound, at most."""
        return bool(self.classes) + self.caption_length

    @property
    def decoder(self) -> TransformerConfig:
        """The decoder that reads the stream."""
        return TransformerConfig(
            # In every codebook one token more: nothing, before its row begins and after it has ended.
            vocabulary=self.sound_start + self.codebooks * (self.codes + 1),
            context=self.longest_text + self.steps,
            depth=self.depth,
            width=self.width,
            heads=self.heads,
            dropout=self.dropout,
        )

    @property
    def guide_rows(self) -> int:
        """Vectors of the guide: those of its tokens, and one a codebook where it is hidden; 0 without a guide."""
        return self.source_codebooks * (self.source_codes + 1) if self.source_codes else 0

    def with_decoder(self, decoder: TransformerConfig) -> Self:
        """Return a copy with the shape of a decoder."""
        return self.changed(depth=decoder.depth, width=decoder.width, heads=decoder.heads, dropout=decoder.dropout)

    def accepts(self) -> TensorSpec:
        """Return rows of tokens, and class, caption and guide where the model has them."""
        slots = {
            TARGET: Slot(kind="tokens", axes=AXES, sizes=(self.codebooks, self.moments), vocabulary=self.codes),
        }
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        if self.caption_length:
            slots[CAPTION] = Slot(
                kind="tokens", axes=("length",), sizes=(self.caption_length,), vocabulary=self.caption_vocabulary
            )
        if self.source_codes:
            sizes = (self.source_codebooks, self.source_moments)
            slots[SOURCE] = Slot(kind="tokens", axes=AXES, sizes=sizes, vocabulary=self.source_codes)
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codebooks, classes, captions and guide of what a codec makes.

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
        length, vocabulary = (made[CAPTION].sizes[0], made[CAPTION].vocabulary) if CAPTION in made else (0, 0)
        guide = made.slots.get(SOURCE)
        rows, of_guide = (int(size or 1) for size in guide.sizes) if guide is not None else (1, 1)
        return self.changed(
            codes=target.vocabulary,
            codebooks=codebooks,
            moments=moments,
            classes=(made[CLASS].vocabulary or 0) if CLASS in made else 0,
            caption_length=length,
            caption_vocabulary=vocabulary,
            source_codes=0 if guide is None else guide.vocabulary,
            source_codebooks=rows,
            source_moments=of_guide,
        )

    def scaled_to(self, parameters: int) -> Self:
        """Return the shape of a decoder with about this many parameters."""
        return self.with_decoder(self.decoder.scaled_to(parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return self.decoder.parameter_count() + self.guide_rows * self.width

    def training_operations(self) -> float:
        """Return operations to train on one sound, forward and backward, with a caption of full length."""
        decoder, length = self.decoder, self.longest_text + self.steps
        blocks = 6.0 * length * (decoder.depth * decoder.block_matrix_count() + decoder.depth * self.width * length)
        return blocks + 6.0 * self.width * self.moments * self.codebooks * self.codes

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one sound."""
        return self.decoder.activation_bytes()
