"""Where the tokens of sound steps, of a guide and of words stand in their tables."""

import torch
from jaxtyping import Int
from torch import Tensor

from makar.families.transformer.sound_config import SoundTransformerConfig


def table_rows(
    config: SoundTransformerConfig, steps: Int[Tensor, "*batch codebooks steps"]
) -> Int[Tensor, "*batch codebooks steps"]:
    """Return where in the table of embeddings the tokens of all codebooks are; token ``codes`` is nothing."""
    starts = config.content_start + (config.codes + 1) * torch.arange(config.codebooks, device=steps.device)
    return steps + starts[:, None]


def guide_rows(
    config: SoundTransformerConfig, guide: Int[Tensor, "*batch source_codebooks source_moments"]
) -> Int[Tensor, "*batch source_codebooks steps"]:
    """Return for every step which vectors of the guide stand beside it: those of the moment that its first codebook is about.

    Args:
        config: Sizes.
        guide: Tokens of the guide; ``source_codes`` where it is hidden.
    """
    moments = torch.arange(config.content_positions, device=guide.device).clamp(max=config.moments - 1)
    # The middle of a moment, in moments of the guide.
    places = ((2 * moments + 1) * config.source_moments) // (2 * config.moments)
    starts = (config.source_codes + 1) * torch.arange(config.source_codebooks, device=guide.device)
    return guide[..., places] + starts[:, None]


def lyric_rows(
    config: SoundTransformerConfig, lyrics: Int[Tensor, "*batch lyric_frames"]
) -> Int[Tensor, "*batch lyric_places steps"]:
    """Return for every step which vectors of words stand beside it: those of all frames of the moment that its first codebook is about.

    Args:
        config: Sizes.
        lyrics: Units; ``lyric_units`` where they are hidden.
    """
    moments = torch.arange(config.content_positions, device=lyrics.device).clamp(max=config.moments - 1)
    within = torch.arange(config.lyric_places, device=lyrics.device)[:, None]
    # The middle of a place, in frames.
    places = (2 * (moments * config.lyric_places + within) + 1) * config.lyric_frames
    places = places // (2 * config.moments * config.lyric_places)
    return lyrics[..., places] + (config.lyric_units + 1) * within
