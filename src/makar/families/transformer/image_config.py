"""Settings of the decoder transformer over one stream of class, caption and image tokens, with its exact size and cost; no torch.

The stream of an example is: its class, where the model has classes; the tokens of its caption; one token that ends the text; the tokens of
the image, row by row. Each kind has a range of the vocabulary of its own. Source: Ramesh et al. 2021, arXiv 2102.12092, section 2.2.
"""

import dataclasses
from typing import ClassVar, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.transformer.worded_config import WordedTransformerConfig, text_settings
from makar.tensor_spec import TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTransformerConfig(WordedTransformerConfig):
    """A decoder transformer that predicts the tokens of an image from its class, its caption and the tokens before."""

    kind: ClassVar[str] = "image-transformer"
    target: ClassVar[str] = "makar.families.transformer.image_family:ImageTransformerFamily"
    item_name: ClassVar[str] = "image"
    edits: ClassVar[tuple[str, ...]] = ("inpaint",)
    fills_any_part: ClassVar[bool] = False

    codes: int = setting(512, meaning="number of different image tokens", minimum=2, maximum=65536)
    rows: int = setting(8, meaning="rows of image tokens", minimum=1, maximum=256)
    columns: int = setting(8, meaning="columns of image tokens", minimum=1, maximum=256)
    text_weight: float = setting(
        0.125, meaning="weight of the caption's tokens in the loss; the image has the rest", minimum=0.0, maximum=0.9
    )

    @property
    def content_positions(self) -> int:
        """Tokens of an image."""
        return self.rows * self.columns

    @property
    def content_vocabulary(self) -> int:
        """Different tokens of images."""
        return self.codes

    def accepts(self) -> TensorSpec:
        """Return a grid of tokens, and class and caption where the model has them."""
        sizes = (self.rows, self.columns)
        target = Slot(kind="tokens", axes=("rows", "columns"), sizes=sizes, vocabulary=self.codes)
        return TensorSpec({TARGET: target, **self.text_slots()})

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
        return self.changed(
            codes=target.vocabulary,
            rows=rows,
            columns=columns,
            **text_settings(made),
        )

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        return self.decoder.parameter_count() + (self.rows + self.columns) * self.width

    def training_operations(self) -> float:
        """Return operations to train on one image, forward and backward, with a caption of full length."""
        logits = self.content_positions * self.codes + self.caption_length * self.class_start
        return self.block_operations() + 6.0 * self.width * logits
