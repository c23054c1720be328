"""Settings of the network that describes images: a convolutional encoder whose places begin the stream of a text decoder; no torch.

The stream of an example is one vector a place of the encoder's last grid, one token to begin with, and the tokens of the caption.
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.autoencoder_size import (
    Levels,
    activation_values,
    affine,
    encoder_operations,
    encoder_parameters,
    level_sizes,
)
from makar.families.family_config import FamilyConfig
from makar.families.transformer.config import HEAD_WIDTH, TransformerConfig
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

WIDTHS = range(HEAD_WIDTH, 1025, HEAD_WIDTH)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaptionerConfig(FamilyConfig):
    """A network that describes images."""

    kind: ClassVar[str] = "captioner"
    target: ClassVar[str] = "makar.families.transformer.caption_family:CaptionerFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    predictions: ClassVar[tuple[str, ...]] = ("caption",)

    height: int = setting(32, meaning="height of the images", unit="pixels", minimum=4, maximum=256)
    width: int = setting(32, meaning="width of the images", unit="pixels", minimum=4, maximum=256)
    channels: int = setting(3, meaning="1 grey, 3 colour, 4 colour with alpha", minimum=1, maximum=64)
    caption_length: int = setting(32, meaning="tokens of a caption", minimum=1, maximum=4096)
    caption_vocabulary: int = setting(2048, meaning="number of different caption tokens", minimum=3)
    features: int = setting(48, meaning="encoder: channels of the finest level", minimum=8, maximum=4096)
    multipliers: tuple[int, ...] = setting(
        (1, 2), meaning="encoder: channels of every level, in features; each halves the resolution, the last is read"
    )
    blocks: int = setting(1, meaning="encoder: blocks a level", minimum=1, maximum=32)
    patch: int = setting(2, meaning="encoder: pixels folded into one place, along each side", choices=(1, 2, 4))
    depth: int = setting(2, meaning="decoder: number of blocks", minimum=1)
    stream_width: int = setting(96, meaning="decoder: channels of the residual stream", minimum=2)
    heads: int = setting(3, meaning="decoder: attention heads a block", minimum=1)
    dropout: float = setting(0.1, meaning="decoder: share of channels dropped while training", minimum=0.0, maximum=0.9)
    largest_shift: int = setting(
        2, meaning="images are moved by at most so much while training", unit="pixels", minimum=0, maximum=64
    )

    def check(self) -> None:
        """Check the fields, and that the decoder is one that can be."""
        super().check()
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers are {self.multipliers}", expected="at least one, each at least 1")
        _ = self.decoder

    @property
    def shape(self) -> Levels:
        """The shape of the encoder."""
        sizes = level_sizes(self.height, self.width, patch=self.patch, levels=len(self.multipliers))
        widths = tuple(self.features * multiplier for multiplier in self.multipliers)
        return Levels(pixels=self.channels * self.patch**2, widths=widths, sizes=sizes, blocks=self.blocks)

    @property
    def decoder(self) -> TransformerConfig:
        """The decoder that reads the places and writes the caption."""
        return TransformerConfig(
            vocabulary=self.caption_vocabulary,
            context=self.shape.places[-1] + 1 + self.caption_length,
            depth=self.depth,
            width=self.stream_width,
            heads=self.heads,
            dropout=self.dropout,
        )

    def accepts(self) -> TensorSpec:
        """Return images of this size with captions."""
        sizes = (self.channels, self.height, self.width)
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes),
                CAPTION: Slot(
                    kind="tokens", axes=("length",), sizes=(self.caption_length,), vocabulary=self.caption_vocabulary
                ),
            }
        )

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the image size and the captions of what a codec makes.

        Raises:
            ConfigError: It makes no images, or none with captions.
        """
        target = made.slots.get(TARGET)
        if target is None or target.axes != ("channels", "height", "width") or CAPTION not in made:
            raise ConfigError("the codec makes no images with captions", expected="a codec with use_captions")
        channels, height, width = target.sizes
        return self.changed(
            channels=channels,
            height=height,
            width=width,
            caption_length=made[CAPTION].sizes[0],
            caption_vocabulary=made[CAPTION].vocabulary,
        )

    def with_width(self, width: int) -> Self:
        """Return the copy with a stream so wide, as deep as text likes it, and an encoder of half the width."""
        return self.changed(
            stream_width=width,
            depth=max(1, round(1.25 + width / 80)),
            heads=max(1, width // HEAD_WIDTH),
            features=max(8, width // 2),
        )

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose width brings it nearest to this many parameters."""
        candidates = [self.with_width(width) for width in WIDTHS]
        return min(candidates, key=lambda config: abs(config.parameter_count() - parameters))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        shape, width = self.shape, self.stream_width
        rows, columns = shape.sizes[-1]
        entering = affine(shape.widths[-1], width) + (rows + columns) * width
        return self.decoder.parameter_count() + encoder_parameters(shape) + entering

    def training_operations(self) -> float:
        """Return operations to train on one image, forward and backward, with a caption of full length."""
        shape, decoder = self.shape, self.decoder
        length = decoder.context - 1
        blocks = 2.0 * length * decoder.depth * (decoder.block_matrix_count() + decoder.width * length)
        logits = 2.0 * self.caption_length * decoder.width * decoder.vocabulary
        entering = 2.0 * shape.places[-1] * shape.widths[-1] * decoder.width
        return 3.0 * (encoder_operations(shape) + entering + blocks + logits)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image."""
        return 2.0 * activation_values(self.shape) + self.decoder.activation_bytes()
