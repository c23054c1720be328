"""One learned vector for each place of a grid: the sum of one of its row and one of its column.

Source: Ramesh et al. 2021, arXiv 2102.12092, appendix B.1 (row and column embeddings of image tokens). They start at zero, so that a
network starts as if there were none.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GridPlaces(nn.Module):
    """Vectors of places.

    Args:
        rows: Rows of the grid.
        columns: Columns of the grid.
        width: Channels of a vector.
    """

    def __init__(self, rows: int, columns: int, width: int) -> None:
        super().__init__()
        self.of_rows = nn.Parameter(torch.zeros(rows, width))
        self.of_columns = nn.Parameter(torch.zeros(columns, width))

    def initialise(self, generator: torch.Generator) -> None:
        """Start at zero."""
        del generator
        with torch.no_grad():
            self.of_rows.zero_()
            self.of_columns.zero_()

    def forward(self) -> Float[Tensor, "places width"]:
        """Return the vectors, row by row."""
        return (self.of_rows[:, None] + self.of_columns).flatten(0, 1)
