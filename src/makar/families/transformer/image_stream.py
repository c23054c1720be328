"""The one stream of class, caption and image tokens of each example of a batch, and which position predicts what."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional

from makar.families.transformer.image_config import ImageTransformerConfig
from makar.families.transformer.worded_stream import END_TOKEN, text_rows
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ImageStream:
    """The streams of a batch.

    Attributes:
        tokens: ``[batch, length]``, without the last token of the image, which predicts nothing.
        image: Positions that predict the image, ``[batch, places]``.
        text: Which positions predict a token of the caption or its end, ``[batch, length - 1]``.
    """

    tokens: Int[Tensor, "batch length"]
    image: Int[Tensor, "batch places"]
    text: Bool[Tensor, "batch length_minus_one"]


def text_tokens(config: ImageTransformerConfig, label: int | None, caption: Tensor | None) -> Int[Tensor, " length"]:
    """Return what one image begins with: class, caption and the token that ends the text.

    Args:
        config: Ranges of the vocabulary.
        label: Number of the class, the number of classes for none.
        caption: Caption tokens, filled up at the end; ``None`` for none.
    """
    parts = []
    if config.classes:
        parts.append(torch.tensor([config.class_start + (config.classes if label is None else label)]))
    if config.caption_length:
        said = torch.tensor([NO_CAPTION_TOKEN]) if caption is None else caption[caption != PADDING_TOKEN]
        parts.append(said)
    return torch.cat([*parts, torch.tensor([END_TOKEN])])


def image_stream(
    config: ImageTransformerConfig,
    image: Int[Tensor, "batch rows columns"],
    *,
    label: Int[Tensor, " batch"] | None,
    caption: Int[Tensor, "batch caption_length"] | None,
) -> ImageStream:
    """Return the streams of a batch.

    Args:
        config: Ranges of the vocabulary.
        image: Image tokens from 0.
        label: Classes, the number of classes for none; ``None`` where the model has none.
        caption: Caption tokens, filled up at the end; ``None`` where the model has none.
    """
    text = text_rows(config, batch=len(image), label=label, caption=caption)
    end, places = text.end.to(image.device), torch.arange(config.content_positions, device=image.device)
    tokens = functional.pad(text.tokens.to(image.device), (0, config.content_positions - 1), value=END_TOKEN)
    positions = end[:, None] + places
    tokens.scatter_(1, positions[:, 1:], config.content_start + image.flatten(1)[:, :-1])
    is_text = torch.arange(tokens.shape[1] - 1, device=image.device) < end[:, None]
    return ImageStream(tokens=tokens, image=positions, text=is_text)
