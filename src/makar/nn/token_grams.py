"""What runs of neighbouring tokens say by themselves: each run of up to n tokens has a row of a table, found by hashing.

A text says the sum of the rows of its runs, divided by the root of their number, so that long and short texts speak equally loud. Rows
begin at zero: what was never seen says nothing. Two runs may share a row, which costs little as long as most runs are rare (Weinberger et
al. 2009, arXiv 0902.2206). Words and pairs of words are what small data can learn from (Wang and Manning 2012; Joulin et al. 2016, arXiv
1607.01759); a network beside them learns what they leave over (Cheng et al. 2016, arXiv 1606.07792).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.nn.dropout import dropped

MULTIPLIER, INCREMENT = 0x9E3779B1, 0x85EBCA6B
MASK = (1 << 31) - 1


def gram_rows(
    tokens: Int[Tensor, "batch length"], exists: Bool[Tensor, "batch length"], *, longest: int, rows: int
) -> Int[Tensor, "batch grams"]:
    """Return the row of every run of 1 to ``longest`` tokens, from 1 on; 0 where the run is not whole.

    Args:
        tokens: Tokens.
        exists: Which of them are there.
        longest: Tokens of the longest run.
        rows: Rows of the table, row 0 included, which belongs to no run.
    """
    found = []
    for length in range(1, min(longest, tokens.shape[1]) + 1):
        count = tokens.shape[1] - length + 1
        mixed = torch.full_like(tokens[:, :count], length * INCREMENT & MASK)
        whole = torch.ones_like(exists[:, :count])
        for offset in range(length):
            mixed = (mixed ^ tokens[:, offset : offset + count]) * MULTIPLIER & MASK
            mixed = mixed ^ (mixed >> 15)
            whole = whole & exists[:, offset : offset + count]
        found.append(torch.where(whole, 1 + mixed % (rows - 1), 0))
    return torch.cat(found, 1)


class TokenGrams(nn.Module):
    """The table.

    Args:
        rows: Rows of the table.
        outputs: Numbers that a run says.
        longest: Tokens of the longest run.
        dropout: Share of the runs left out while training.
    """

    def __init__(self, *, rows: int, outputs: int, longest: int, dropout: float) -> None:
        super().__init__()
        self.longest, self.dropout = longest, dropout
        self.table = nn.Parameter(torch.zeros(rows, outputs))

    def initialise(self, generator: torch.Generator) -> None:
        """Begin at zero."""
        del generator
        with torch.no_grad():
            self.table.zero_()

    def forward(
        self,
        tokens: Int[Tensor, "batch length"],
        exists: Bool[Tensor, "batch length"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch outputs"]:
        """Return what texts say.

        Args:
            tokens: Tokens.
            exists: Which of them are there.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        places = gram_rows(tokens, exists, longest=self.longest, rows=len(self.table))
        there = (places > 0).float()
        count = there.sum(1, keepdim=True).clamp(min=1)
        weights = dropped(there, self.dropout, generator) * count.rsqrt()
        return functional.embedding_bag(places, self.table, per_sample_weights=weights, mode="sum")
