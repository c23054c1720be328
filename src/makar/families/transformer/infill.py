"""Learning to fill holes: a window of text rearranged so that what is in the middle comes last.

    before, after, hole   ->   PRE before SUF after MID hole END          (PSM)
                               PRE SUF after MID before hole END          (SPM, the variant for joint training)

Both orders are used equally often, every token counts in the loss, and a window that is not rearranged is learned from left to right, which
the rearranged ones hardly cost. Decisions. (1) The hole lies within one document of the window, the longest. (2) Its length is drawn evenly
on a logarithmic scale: short windows would otherwise hardly ever show a hole of one line. (3) Cuts lie between tokens; a codec whose
tokens end with the line makes them natural ones. (4) Room for the four tokens is taken from the end of the window.

Source: Bavarian et al. 2022, arXiv 2207.14255, sections 3 (PSM, SPM variant 2), 4.4 (within the context).
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

SHORTEST = 8
"""Tokens of a document below which it is left as it is."""


def rearranged(
    windows: Int[Tensor, "batch length"], *, share: float, tokens: Sequence[int], generator: torch.Generator
) -> Int[Tensor, "batch length"]:
    """Return the windows, a share of them with a hole whose content comes last.

    Args:
        windows: Spans of tokens.
        share: Probability that a window is rearranged.
        tokens: Those in front of what is before, after and in the hole, and the end token.
        generator: Source of the draws, four a window.
    """
    draws = torch.rand(len(windows), 4, generator=generator, dtype=torch.float64).numpy()
    rows = windows.cpu().numpy().copy()
    for row, (chance, order, size, place) in zip(rows, draws):
        if chance < share:
            _rearrange(row, tokens, psm=bool(order < 0.5), size=float(size), place=float(place))
    return torch.from_numpy(rows).to(windows.device)


def _rearrange(row: np.ndarray, tokens: Sequence[int], *, psm: bool, size: float, place: float) -> None:
    """Rearrange one window in place.

    Args:
        row: int64 ``[length]``.
        tokens: Of ``rearranged``.
        psm: Which of the two orders.
        size: Uniform draw that sets the length of the hole.
        place: Uniform draw that sets its place.
    """
    prefix, suffix, middle, end = tokens
    ends = np.flatnonzero(row == end)
    borders = np.concatenate([[-1], ends, [len(row)]])
    longest = int(np.diff(borders).argmax())
    first, last = int(borders[longest]) + 1, int(borders[longest + 1])
    text = row[first : min(last, len(row) - 4)].copy()
    if len(text) < SHORTEST:
        return
    length = max(1, round(len(text) ** size))
    start = int(place * (len(text) - length + 1))
    before, hole, after = text[:start], text[start : start + length], text[start + length :]
    if psm:
        parts = [[prefix], before, [suffix], after, [middle], hole, [end]]
    else:
        parts = [[prefix, suffix], after, [middle], before, hole, [end]]
    # What followed the document, without the end that closed it.
    whole = np.concatenate([*parts, row[last + 1 :]])[: len(row) - first]
    row[first : first + len(whole)] = whole
