"""Several streams of tokens a moment as rows that are shifted against each other, so that one step writes one token of every stream.

Of a moment the first codebook says the most and the others refine it. Codebook k stands k steps later, so that when it is written those
before it of the same moment are known; a piece of T moments takes T + K - 1 steps instead of K T. Where a row has not begun or has ended
stands a token of its own. Source: Copet et al. 2023, arXiv 2306.05284, section 2.2 (the delay pattern of MusicGen).
"""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor


def delayed(codes: Int[Tensor, "*batch codebooks length"], *, nothing: int) -> Int[Tensor, "*batch codebooks steps"]:
    """Return every row later by its number.

    Args:
        codes: Tokens, one row a codebook.
        nothing: What stands where a row has not begun or has ended.

    >>> delayed(torch.tensor([[1, 2, 3], [4, 5, 6]]), nothing=9).tolist()
    [[1, 2, 3, 9], [9, 4, 5, 6]]
    """
    rows, length = codes.shape[-2:]
    shifted = codes.new_full((*codes.shape[:-1], length + rows - 1), nothing)
    for row in range(rows):
        shifted[..., row, row : row + length] = codes[..., row, :]
    return shifted


def undelayed(steps: Shaped[Tensor, "*batch codebooks steps"]) -> Shaped[Tensor, "*batch codebooks length"]:
    """Return the rows as they were before ``delayed``, of tokens or of what is said of them.

    >>> undelayed(torch.tensor([[1, 2, 3, 9], [9, 4, 5, 6]])).tolist()
    [[1, 2, 3], [4, 5, 6]]
    """
    rows = steps.shape[-2]
    length = steps.shape[-1] - rows + 1
    return torch.stack([steps[..., row, row : row + length] for row in range(rows)], -2)
