"""The one stream of text and sound steps of each example of a batch as tokens, and which position predicts what.

Examples have captions of different lengths, and the sound follows its caption at once: what is too short is filled up at the end, where
no position looks at it, so neither masks nor positions depend on the batch.
"""

import dataclasses

import torch
from jaxtyping import Int
from torch import Tensor

from makar.families.transformer.sound_config import SoundTransformerConfig
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN

END_TOKEN = PADDING_TOKEN
"""Ends the text; in a caption it is what comes after its last token."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TextRows:
    """What the examples of a batch begin with.

    Attributes:
        tokens: Class, caption and the end of the text, ``[batch, longest]``, filled up at the end.
        end: Position of the token that ends the text, which predicts the first step, ``[batch]``.
    """

    tokens: Int[Tensor, "batch longest"]
    end: Int[Tensor, " batch"]


def text_rows(
    config: SoundTransformerConfig,
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


def table_rows(
    config: SoundTransformerConfig, steps: Int[Tensor, "*batch codebooks steps"]
) -> Int[Tensor, "*batch codebooks steps"]:
    """Return where in the table of embeddings the tokens of all codebooks are; token ``codes`` is nothing."""
    starts = config.sound_start + (config.codes + 1) * torch.arange(config.codebooks, device=steps.device)
    return steps + starts[:, None]


def guide_rows(
    config: SoundTransformerConfig, guide: Int[Tensor, "*batch source_codebooks source_moments"]
) -> Int[Tensor, "*batch source_codebooks steps"]:
    """Return for every step which vectors of the guide stand beside it: those of the moment that its first codebook is about.

    Args:
        config: Sizes.
        guide: Tokens of the guide; ``source_codes`` where it is hidden.
    """
    moments = torch.arange(config.steps, device=guide.device).clamp(max=config.moments - 1)
    # The middle of a moment, in moments of the guide.
    places = ((2 * moments + 1) * config.source_moments) // (2 * config.moments)
    starts = (config.source_codes + 1) * torch.arange(config.source_codebooks, device=guide.device)
    return guide[..., places] + starts[:, None]
