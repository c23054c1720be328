"""What the streams of a batch begin with: class, caption and the end of the text as tokens.

Examples have captions of different lengths, and what is made follows its caption at once: what is too short is filled up at the end, where
no position looks at it, so neither masks nor positions depend on the batch.
"""

import dataclasses

import torch
from jaxtyping import Int
from torch import Tensor

from makar.families.transformer.worded_config import WordedTransformerConfig
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN

END_TOKEN = PADDING_TOKEN
"""Ends the text; in a caption it is what comes after its last token."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TextRows:
    """What the examples of a batch begin with.

    Attributes:
        tokens: Class, caption and the end of the text, ``[batch, longest]``, filled up at the end.
        end: Position of the token that ends the text, which predicts the first of what is made, ``[batch]``.
    """

    tokens: Int[Tensor, "batch longest"]
    end: Int[Tensor, " batch"]


def text_rows(
    config: WordedTransformerConfig,
    *,
    batch: int,
    label: Int[Tensor, " batch"] | None,
    caption: Int[Tensor, "batch caption_length"] | None,
) -> TextRows:
    """Return what examples begin with.

    Args:
        config: Ranges of the vocabulary.
        batch: Number of examples.
        label: Classes, the number of classes for none; ``None`` where the model has none.
        caption: Caption tokens, filled up at the end; ``None`` where the model has none.
    """
    before = 0 if label is None else 1
    device = next((given.device for given in (label, caption) if given is not None), torch.device("cpu"))
    lengths = torch.zeros(batch, dtype=torch.int64, device=device)
    if caption is not None:
        lengths = (caption != PADDING_TOKEN).sum(1)
        caption = caption[:, : int(lengths.max())]
    end = before + lengths
    tokens = torch.full((batch, int(end.max()) + 1), END_TOKEN, dtype=torch.int64, device=device)
    if label is not None:
        tokens[:, 0] = config.class_start + label
    if caption is not None:
        tokens[:, before : before + caption.shape[1]] = caption
    return TextRows(tokens=tokens, end=end)


def without_caption(length: int) -> Int[Tensor, " length"]:
    """Return the row of caption tokens that says there is none."""
    row = torch.full((length,), PADDING_TOKEN, dtype=torch.int64)
    row[0] = NO_CAPTION_TOKEN
    return row


def some_forgotten(
    config: WordedTransformerConfig,
    *,
    batch: int,
    label: Int[Tensor, " batch"] | None,
    caption: Int[Tensor, "batch caption_length"] | None,
    generator: torch.Generator,
) -> tuple[Tensor | None, Tensor | None]:
    """Return class and caption, both hidden in a share of the examples, for guidance (Ho and Salimans 2022, arXiv 2207.12598).

    Args:
        config: The share, and what hides a class.
        batch: Number of examples.
        label: Classes; ``None`` where the model has none.
        caption: Caption tokens; ``None`` where the model has none.
        generator: Draws which examples.
    """
    if label is None and caption is None:
        return None, None
    forgotten = torch.rand(batch, generator=generator) < config.class_dropout
    if label is not None:
        label = torch.where(forgotten.to(label.device), config.classes, label)
    if caption is not None:
        nothing = without_caption(config.caption_length).to(caption.device)
        caption = torch.where(forgotten.to(caption.device)[:, None], nothing, caption)
    return label, caption
