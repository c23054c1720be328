"""Settings of the decoder transformer over one stream of class, caption and image tokens, with its exact size and cost; no torch.

The stream of an example is: its class, where the model has classes; the tokens of its caption; one token that ends the text; the tokens of
the image, row by row. Each kind has a range of the vocabulary of its own. Source: Ramesh et al. 2021, arXiv 2102.12092, section 2.2.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import CAPTION, CLASS, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTransformerConfig(FamilyConfig):
    """A decoder transformer that predicts the tokens of an image from its class, its caption and the tokens before."""

    kind: ClassVar[str] = "image-transformer"
    target: ClassVar[str] = "makar.families.transformer.image_family:ImageTransformerFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("inpaint",)
    fills_any_part: ClassVar[bool] = False

    codes: int = setting(512, meaning="number of different image tokens", minimum=2, maximum=65536)
    rows: int = setting(8, meaning="rows of image tokens", minimum=1, maximum=256)
    columns: int = setting(8, meaning="columns of image tokens", minimum=1, maximum=256)
    classes: int = setting(0, meaning="number of classes; 0 learns none", minimum=0)
    caption_length: int = setting(0, meaning="tokens of a caption; 0 learns none", minimum=0, maximum=4096)
    caption_vocabulary: int = setting(0, meaning="number of different caption tokens", minimum=0)
    depth: int = setting(4, meaning="number of blocks", minimum=1)
    width: int = setting(128, meaning="channels of the residual stream", minimum=2)
    heads: int = setting(4, meaning="attention heads a block", minimum=1)
    dropout: float = setting(0.0, meaning="share of channels dropped while training", minimum=0.0, maximum=0.9)
    class_dropout: float = setting(
        0.1, meaning="share of the examples whose class and caption are hidden, for guidance", minimum=0.0, maximum=1.0
    )
    text_weight: float = setting(
        0.125, meaning="weight of the caption's tokens in the loss; the image has the rest", minimum=0.0, maximum=0.9
    )

    def check(self) -> None:
        """Check the fields, and that the decoder is one that can be."""
        super().check()
        if self.caption_length and self.caption_vocabulary < 2:
            raise ConfigError(f"captions of {self.caption_vocabulary} tokens", expected="a vocabulary of at least 2")
        _ = self.decoder

    @property
    def places(self) -> int:
        """Tokens of an image."""
        return self.rows * self.columns

    @property
    def class_start(self) -> int:
        """First token of the classes; those of captions, and the one that ends the text, are below."""
        return max(1, self.caption_vocabulary if self.caption_length else 1)

    @property
    def image_start(self) -> int:
        """First token of the image; below it are the classes and the token for none of them."""
        return self.class_start + (self.classes + 1 if self.classes else 0)

    @property
    def longest_text(self) -> int:
        """Positions before those that predict the image, at most."""
        return bool(self.classes) + self.caption_length

    @property
    def decoder(self) -> TransformerConfig:
        """The decoder that reads the stream."""
        return TransformerConfig(
            vocabulary=self.image_start + self.codes,
            context=self.longest_text + self.places,
            depth=self.depth,
            width=self.width,
            heads=self.heads,
            dropout=self.dropout,
        )

    def with_decoder(self, decoder: TransformerConfig) -> Self:
        """Return a copy with the shape of a decoder."""
        return self.changed(depth=decoder.depth, width=decoder.width, heads=decoder.heads, dropout=decoder.dropout)

    def accepts(self) -> TensorSpec:
        """Return a grid of tokens, and class and caption where the model has them."""
        slots = {
            TARGET: Slot(
                kind="tokens", axes=("rows", "columns"), sizes=(self.rows, self.columns), vocabulary=self.codes
            )
        }
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        if self.caption_length:
            slots[CAPTION] = Slot(
                kind="tokens", axes=("length",), sizes=(self.caption_length,), vocabulary=self.caption_vocabulary
            )
        return TensorSpec(slots)

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with grid, codes, classes and captions of what a codec makes.

        Raises:
            ConfigError: It makes no grid of tokens.
        """
        target = made.slots.get(TARGET)
        if target is None or target.kind != "tokens" or target.axes != ("rows", "columns"):
            raise ConfigError(
                "the codec makes no image tokens",
                expected="a codec that works through an autoencoder of tokens",
                do='use a stage of family "vqvae" before this one',
            )
        rows, columns = (int(size or 1) for size in target.sizes)
        length, vocabulary = (made[CAPTION].sizes[0], made[CAPTION].vocabulary) if CAPTION in made else (0, 0)
        return self.changed(
            codes=target.vocabulary,
            rows=rows,
            columns=columns,
            classes=(made[CLASS].vocabulary or 0) if CLASS in made else 0,
            caption_length=length,
            caption_vocabulary=vocabulary,
        )

    def scaled_to(self, parameters: int) -> Self:
        """Return the shape of a decoder with about this many parameters."""
        return self.with_decoder(self.decoder.scaled_to(parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return self.decoder.parameter_count() + (self.rows + self.columns) * self.width

    def training_operations(self) -> float:
        """Return operations to train on one image, forward and backward, with a caption of full length."""
        decoder, length = self.decoder, self.longest_text + self.places
        blocks = 6.0 * length * (decoder.depth * decoder.block_matrix_count() + decoder.depth * self.width * length)
        logits = self.places * self.codes + self.caption_length * self.class_start
        return blocks + 6.0 * self.width * logits

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image."""
        return self.decoder.activation_bytes()
