"""Decoding after a beginning of one's own: rows that begin with vectors of any origin and go on by one vector a step, with a static cache.

Each row is computed as if it were alone (``row_decoder``), so neither its neighbours nor their number change its bits on a CPU.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from makar.families.transformer.block_decoder import read_vectors
from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import DecoderWeights
from makar.families.transformer.row_decoder import RowDecoder


class PrefixDecoder:
    """Rows in the making.

    Args:
        weights: Packed weights whose rotations reach far enough.
        rows: Number of rows.
        positions: Longest beginning and all steps together.
    """

    def __init__(self, weights: DecoderWeights, *, rows: int, positions: int) -> None:
        shape = weights.shape
        self._weights = weights
        self._cache = KeyValueCache(
            depth=shape.depth,
            slots=rows,
            heads=shape.key_value_heads,
            capacity=positions,
            head_width=shape.head_width,
            device=str(weights.embedding.device),
        )
        self._rows = RowDecoder(weights, self._cache) if self._cache.arrays else None

    def begin(self, row: int, vectors: Float[Tensor, "length width"]) -> Float[Tensor, " vocabulary"]:
        """Read the beginning of a row and return the logits that follow, on the CPU."""
        self._cache.lengths[row] = 0
        return read_vectors(self._weights, self._cache, [vectors], slots=[row])[0].cpu()

    def step(self, rows: Sequence[int], vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows vocabulary"]:
        """Append one vector to each row and return the logits that follow, on the CPU; the next step overwrites them.

        Args:
            rows: Which rows go on, each once.
            vectors: One a row.
        """
        if self._rows is not None:
            return torch.from_numpy(self._rows.step_vectors(list(vectors.numpy()), rows))
        return read_vectors(self._weights, self._cache, list(vectors[:, None]), slots=rows).cpu()
