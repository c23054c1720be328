"""Settings that every encoder of text shares, whatever its head is for: sizes, exact number of weights, cost; no torch.

The network is that of ModernBERT, so that `transformers` opens it: blocks that norm before they compute, rotary positions, gated GELU, no
constants; every block attends to the whole text. Tokens are those of the text codec and two more: one that hides a token and one that
fills a row up. Source: Warner et al. 2024, arXiv 2412.13663; Devlin et al. 2018, arXiv 1810.04805.
"""

import abc
import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import Slot

HEAD_WIDTH = 32
"""Channels of a head below 512 channels; 64 from there on."""

FURTHER_TOKENS = 2
"""Rows of the embeddings after those of the text codec: ``mask_token`` and ``padding_token``."""

WIDTHS = (*range(32, 512, 32), *range(512, 1025, 64), *range(1280, 4097, 256))
STREAM_BYTES = 40.0
"""That training keeps of a block, for each channel of each token, beside what is inside its feed-forward part."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(FamilyConfig, abc.ABC):
    """An encoder of text with a head."""

    item_name: ClassVar[str] = "text"

    vocabulary: int = setting(0, meaning="tokens of the text codec; 0 takes it from the codec", minimum=0)
    length: int = setting(128, meaning="tokens that are read at once", unit="tokens", minimum=2, maximum=1 << 16)
    depth: int = setting(2, meaning="number of blocks", minimum=1)
    width: int = setting(128, meaning="channels of the residual stream", minimum=2)
    heads: int = setting(4, meaning="attention heads a block", minimum=1)
    hidden: int = setting(0, meaning="channels inside the feed-forward part; 0 is 1.5 x width", minimum=0)
    dropout: float = setting(0.1, meaning="share of channels dropped while training", minimum=0.0, maximum=0.9)
    rotary_base: float = setting(10000.0, meaning="base of the rotary wavelengths", minimum=1.0)
    norm_epsilon: float = setting(1e-5, meaning="added to the variance in norms", minimum=0.0, maximum=1.0)

    def check(self) -> None:
        """Check the fields and that the widths divide."""
        super().check()
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ConfigError(
                f"width {self.width} does not divide into {self.heads} heads of even width",
                expected="width a multiple of 2 x heads",
            )

    @property
    def hidden_width(self) -> int:
        """Channels inside the feed-forward part, with the default filled in."""
        return self.hidden or 3 * self.width // 2

    @property
    def mask_token(self) -> int:
        """The token that hides another."""
        return self.vocabulary

    @property
    def padding_token(self) -> int:
        """The token that stands for nothing."""
        return self.vocabulary + 1

    @property
    def rows(self) -> int:
        """Tokens that have a vector."""
        return self.vocabulary + FURTHER_TOKENS

    @property
    def hidden_share(self) -> float:
        """Share of the tokens hidden before anything is read while training; none where hiding is what is learned from."""
        return 0.0

    @abc.abstractmethod
    def head_count(self) -> int:
        """Return the weights of the head."""

    @abc.abstractmethod
    def head_operations(self) -> float:
        """Return the multiplications of the head for one text."""

    def with_width(self, width: int) -> Self:
        """Return the copy that is so wide, and as deep as small encoders like it."""
        heads = max(1, width // (HEAD_WIDTH if width < 512 else 2 * HEAD_WIDTH))
        return self.changed(width=width, heads=heads, depth=max(1, round(1 + width / 96)), hidden=0)

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose width brings it nearest to this many parameters."""
        candidates = [self.with_width(width) for width in WIDTHS]
        return min(candidates, key=lambda config: abs(config.parameter_count() - parameters))

    def block_count(self) -> int:
        """Return the weights in matrices of one block."""
        return 4 * self.width * self.width + 3 * self.width * self.hidden_width

    def encoder_count(self) -> int:
        """Return the weights of the encoder without its head."""
        # A norm before each half of a block, but the first, whose input is normed already; one at either end.
        gains = (2 * self.depth + 1) * self.width
        return self.rows * self.width + self.depth * self.block_count() + gains

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return self.encoder_count() + self.head_count()

    def text_operations(self) -> float:
        """Return operations to train on one text of full length, forward and backward."""
        blocks = self.depth * (self.block_count() + 2.0 * self.width * self.length)
        return 6.0 * (self.length * blocks + self.head_operations())

    def training_operations(self) -> float:
        """Return operations to train on one text of full length."""
        return self.text_operations()

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one text."""
        streams = STREAM_BYTES * self.width + 12.0 * self.hidden_width
        return self.length * (self.depth * (streams + 8.0 * self.heads * self.length) + 16.0 * self.width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReaderConfig(EncoderConfig, abc.ABC):
    """An encoder that learns from texts which come with what is to be said of them."""

    batching: ClassVar[Literal["items", "windows"]] = "items"

    token_dropout: float = setting(0.1, meaning="share of the tokens hidden while training", minimum=0.0, maximum=0.9)

    @property
    def hidden_share(self) -> float:
        """Share of the tokens hidden while training."""
        return self.token_dropout

    def text_slot(self) -> Slot:
        """Return the slot of texts that it accepts."""
        tokens = self.vocabulary + FURTHER_TOKENS if self.vocabulary else None
        return Slot(kind="tokens", axes=("length",), sizes=(self.length,), vocabulary=tokens)

    def sizes_of(self, text: Slot) -> dict[str, int]:
        """Return the fields that follow from the rows that a codec makes."""
        return {
            "vocabulary": (text.vocabulary or FURTHER_TOKENS) - FURTHER_TOKENS,
            "length": text.sizes[0] or self.length,
        }


def head_weights(config: EncoderConfig, outputs: int) -> int:
    """Return the weights of a head that says ``outputs`` numbers: a layer, a norm, and a layer with constants."""
    return config.width * config.width + config.width + outputs * (config.width + 1)
