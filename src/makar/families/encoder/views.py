"""Two parts of one document: what belongs together where nobody says what does.

Of a window of a stream the longest piece between two end tokens is taken, and two parts of it are drawn, each with a length, up to half of
the piece, and a place of its own, so they may overlap (independent cropping: Izacard et al. 2022, arXiv 2112.09118, section 3.1).
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

LEAST_TOKENS = 2


def longest_pieces(windows: Int[Tensor, "batch length"], end: int | None) -> Int[Tensor, "batch 2"]:
    """Return where the longest piece without an end token begins in each window, and how long it is.

    Args:
        windows: Tokens.
        end: The token between documents; ``None`` takes windows as they are.
    """
    found = []
    for row in windows.cpu().numpy():
        ends = np.flatnonzero(row == end) if end is not None else np.zeros(0, np.int64)
        edges = np.concatenate([[-1], ends, [len(row)]])
        longest = int(np.diff(edges).argmax())
        # Of a window that holds nothing but ends one of them is read.
        found.append((min(int(edges[longest]) + 1, len(row) - 1), max(1, int(np.diff(edges)[longest]) - 1)))
    return torch.tensor(found, device=windows.device)


def crops(
    windows: Int[Tensor, "batch length"],
    pieces: Int[Tensor, "batch 2"],
    draws: Float[Tensor, "batch 2"],
    *,
    longest: int,
    least: float,
    padding: int,
) -> Int[Tensor, "batch shorter"]:
    """Return one part of each piece, filled up with the padding token.

    Args:
        windows: Tokens.
        pieces: From ``longest_pieces``.
        draws: Numbers from 0 to 1: how long a part is, and where it lies.
        longest: Tokens of a part at most.
        least: Share of the piece that a part has at least.
        padding: The padding token.
    """
    start, size = pieces[:, 0], pieces[:, 1]
    most = torch.minimum((size // 2).clamp(min=LEAST_TOKENS), size).clamp(max=longest)
    fewest = torch.minimum((least * size).ceil().long().clamp(min=LEAST_TOKENS), most)
    length = (fewest + (draws[:, 0] * (most - fewest + 1)).long()).clamp(max=most)
    first = start + (draws[:, 1] * (size - length + 1)).long().clamp(max=size - length)
    places = torch.arange(min(longest, windows.shape[1]), device=windows.device)[None]
    taken = windows.gather(1, (first[:, None] + places).clamp(max=windows.shape[1] - 1))
    return torch.where(places < length[:, None], taken, padding)
