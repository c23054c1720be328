"""Takes spans out of a text: each leaves a mark in what is read, and what is written is mark after mark with what stood there.

All windows have as many spans and as many tokens taken out, so nothing has to be filled up. Lengths of spans, and of what stays between
them, are drawn evenly from all ways to cut a number into so many parts; a window begins with what stays.

Source: Raffel et al. 2020, arXiv 1910.10683, section 3.1.4 and figure 2 (span corruption).
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from makar.errors import ConfigError
from makar.tensor_spec import END_TOKEN


def cut(total: int, parts: int, rows: int, *, generator: torch.Generator) -> Int[Tensor, "rows parts"]:
    """Return lengths of at least 1 that add up to ``total``, one row each; every way to do so is as likely.

    Raises:
        ConfigError: There are more parts than there is to cut.
    """
    if not 1 <= parts <= total:
        raise ConfigError(f"{total} positions cannot be cut into {parts} parts", expected="as many positions at least")
    draws = torch.rand(rows, total - 1, generator=generator)
    ends = draws.argsort(1)[:, : parts - 1].sort(1).values + 1
    edges = torch.cat([torch.zeros(rows, 1, dtype=torch.int64), ends, torch.full((rows, 1), total)], 1)
    return edges.diff(dim=1)


def drawn_spans(
    rows: int, length: int, *, noise: int, spans: int, generator: torch.Generator
) -> Bool[Tensor, "rows length"]:
    """Return which positions are taken out.

    Args:
        rows: Number of windows.
        length: Positions of a window.
        noise: Positions that are taken out of each.
        spans: Spans that they form.
        generator: Source of the draws.
    """
    kept = cut(length - noise, spans, rows, generator=generator)
    taken = cut(noise, spans, rows, generator=generator)
    lengths = torch.stack([kept, taken], 2).flatten(1)
    # Position by position the number of the piece that it lies in; every second piece is taken out.
    piece = torch.searchsorted(lengths.cumsum(1), torch.arange(length).expand(rows, -1).contiguous(), right=True)
    return piece % 2 == 1


def without_spans(
    tokens: Int[Tensor, "rows length"], taken: Bool[Tensor, "rows length"], *, first_mark: int
) -> tuple[Int[Tensor, "rows source"], Int[Tensor, "rows target"]]:
    """Return what is read and what is to be written, each with its end.

    Args:
        tokens: The windows.
        taken: Of ``drawn_spans``: as many positions and spans in each window, the first position of none.
        first_mark: The token that stands for the first span; the next follow.

    >>> read, written = without_spans(torch.tensor([[5, 6, 7, 8]]), torch.tensor([[False, True, True, False]]), first_mark=2)
    >>> read.tolist(), written.tolist()
    ([[5, 2, 8, 1]], [[2, 6, 7, 1]])
    """
    rows = len(tokens)
    begins = taken & ~torch.nn.functional.pad(taken, (1, 0))[:, :-1]
    marks = first_mark - 1 + begins.cumsum(1)
    end = torch.full((rows, 1), END_TOKEN, dtype=tokens.dtype, device=tokens.device)
    read = torch.where(begins, marks, tokens)[~taken | begins].view(rows, -1)
    # Every span is its mark and its tokens: two columns a position, of which those are kept that are there.
    both = torch.stack([marks, tokens], 2)[torch.stack([begins, taken], 2)].view(rows, -1)
    return torch.cat([read, end], 1), torch.cat([both, end], 1)
