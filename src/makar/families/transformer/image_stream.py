"""The one stream of class, caption and image tokens of each example of a batch, and which position predicts what.

Examples have captions of different lengths, and the image follows its caption at once: what is too short is filled up at the end, where
no position looks at it, so neither masks nor positions depend on the batch.
"""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from makar.families.transformer.image_config import ImageTransformerConfig
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN

END_TOKEN = PADDING_TOKEN
"""Ends the text; in a caption it is what comes after its last token."""


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
    batch, device = len(image), image.device
    before = 0 if label is None else 1
    lengths = torch.zeros(batch, dtype=torch.int64, device=device)
    if caption is not None:
        lengths = (caption != PADDING_TOKEN).sum(1)
        caption = caption[:, : int(lengths.max())]
    # Position of the token that ends the text, which predicts the first of the image.
    end = before + lengths
    tokens = torch.full((batch, int(end.max()) + config.places), END_TOKEN, dtype=torch.int64, device=device)
    if label is not None:
        tokens[:, 0] = config.class_start + label
    if caption is not None:
        tokens[:, before : before + caption.shape[1]] = caption
    positions = end[:, None] + torch.arange(config.places, device=device)
    tokens.scatter_(1, positions[:, 1:], config.image_start + image.flatten(1)[:, :-1])
    text = torch.arange(tokens.shape[1] - 1, device=device) < end[:, None]
    return ImageStream(tokens=tokens, image=positions, text=text)
