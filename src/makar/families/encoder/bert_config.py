"""Settings of the encoder that learns from text alone, by finding hidden words; no torch."""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.families.encoder.config import EncoderConfig
from makar.tensor_spec import TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class BertConfig(EncoderConfig):
    """An encoder of text that finds hidden words."""

    kind: ClassVar[str] = "bert"
    target: ClassVar[str] = "makar.families.encoder.bert:BertFamily"
    item_name: ClassVar[str] = "token"
    batching: ClassVar[Literal["items", "windows"]] = "windows"
    predictions: ClassVar[tuple[str, ...]] = ("mask",)
    keeps_codec: ClassVar[bool] = True

    mask_share: float = setting(
        0.3, meaning="share of the tokens that are hidden and have to be found", minimum=0.01, maximum=0.9
    )

    @property
    def window_length(self) -> int:
        """Positions a window: what is read at once."""
        return self.length

    def accepts(self) -> TensorSpec:
        """Return one slot of tokens along ``length``."""
        slot = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.vocabulary or None)
        return TensorSpec({TARGET: slot})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codec's vocabulary."""
        return self.changed(vocabulary=made[TARGET].vocabulary)

    def head_count(self) -> int:
        """Return the weights of the head: a layer and a norm; the vectors of the tokens are the last layer."""
        return self.width * self.width + self.width

    def head_operations(self) -> float:
        """Return the multiplications of the head for one window: hidden tokens only."""
        return self.mask_share * self.length * self.width * (self.width + self.rows)

    def training_operations(self) -> float:
        """Return operations to train on one token of a window."""
        return self.text_operations() / self.length
