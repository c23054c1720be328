"""Settings that decoder transformers share whose stream begins with a class and a caption; no torch.

The stream of an example is: its class, where the model has classes; the tokens of its caption; one token that ends the text; then the
tokens of what is made. Each kind has a range of the vocabulary of its own.
"""

import abc
import dataclasses
from typing import Any, ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import CAPTION, CLASS, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordedTransformerConfig(FamilyConfig, abc.ABC):
    """A decoder transformer that predicts the tokens of what is made from its class, its caption and the tokens before."""

    batching: ClassVar[Literal["items", "windows"]] = "items"

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

    @property
    @abc.abstractmethod
    def content_positions(self) -> int:
        """Positions that predict what is made."""

    @property
    @abc.abstractmethod
    def content_vocabulary(self) -> int:
        """Different tokens of what is made."""

    def check(self) -> None:
        """Check the fields, and that the decoder is one that can be."""
        super().check()
        if self.caption_length and self.caption_vocabulary < 2:
            raise ConfigError(f"captions of {self.caption_vocabulary} tokens", expected="a vocabulary of at least 2")
        _ = self.decoder

    @property
    def class_start(self) -> int:
        """First token of the classes; those of captions, and the one that ends the text, are below."""
        return max(1, self.caption_vocabulary if self.caption_length else 1)

    @property
    def content_start(self) -> int:
        """First token of what is made; below it are the classes and the token for none of them."""
        return self.class_start + (self.classes + 1 if self.classes else 0)

    @property
    def longest_text(self) -> int:
        """Positions before those that predict what is made, at most."""
        return bool(self.classes) + self.caption_length

    @property
    def decoder(self) -> TransformerConfig:
        """The decoder that reads the stream."""
        return TransformerConfig(
            vocabulary=self.content_start + self.content_vocabulary,
            context=self.longest_text + self.content_positions,
            depth=self.depth,
            width=self.width,
            heads=self.heads,
            dropout=self.dropout,
        )

    def with_decoder(self, decoder: TransformerConfig) -> Self:
        """Return a copy with the shape of a decoder."""
        return self.changed(depth=decoder.depth, width=decoder.width, heads=decoder.heads, dropout=decoder.dropout)

    def scaled_to(self, parameters: int) -> Self:
        """Return the shape of a decoder with about this many parameters."""
        return self.with_decoder(self.decoder.scaled_to(parameters))

    def text_slots(self) -> dict[str, Slot]:
        """Return the slots of class and caption, as far as the model has them."""
        slots = {}
        if self.classes:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=self.classes)
        if self.caption_length:
            slots[CAPTION] = Slot(
                kind="tokens", axes=("length",), sizes=(self.caption_length,), vocabulary=self.caption_vocabulary
            )
        return slots

    def block_operations(self) -> float:
        """Return operations of the blocks to train on one example, forward and backward, with a caption of full length."""
        decoder, length = self.decoder, self.longest_text + self.content_positions
        return 6.0 * length * (decoder.depth * decoder.block_matrix_count() + decoder.depth * self.width * length)

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one example."""
        return self.decoder.activation_bytes()


def text_settings(made: TensorSpec) -> dict[str, Any]:
    """Return the settings of classes and captions for what a codec makes."""
    length, vocabulary = (made[CAPTION].sizes[0], made[CAPTION].vocabulary) if CAPTION in made else (0, 0)
    return {
        "classes": (made[CLASS].vocabulary or 0) if CLASS in made else 0,
        "caption_length": length,
        "caption_vocabulary": vocabulary,
    }
