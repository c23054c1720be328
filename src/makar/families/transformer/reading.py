"""What reads tokens for a running batch and says what may come next: our own decoder here, another engine elsewhere.

A reader has a number of slots, each with the keys and values of one text. The batch above it decides which text has which slot, what is
drawn from the logits and when a text ends, so that streams, seeds, filters, watermarks, forms and stop texts are the same on every engine.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from makar.families.transformer.block_decoder import read_block, read_blocks
from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import DecoderWeights
from makar.families.transformer.row_decoder import RowDecoder


class Reader(Protocol):
    """Reads tokens into slots.

    Attributes:
        slots: Largest number of texts that have keys and values at once.
        capacity: Positions a slot.
        lengths: By slot: positions that are read. Whoever makes one smaller forgets what stands behind it.
    """

    slots: int
    capacity: int
    lengths: list[int]

    def read(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after the last of each, float32 ``[vocabulary]`` on the CPU."""

    def append(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after every one of them, ``[tokens, vocabulary]`` a row."""


class EngineReaders(Protocol):
    """Another engine that has the weights of a model.

    Attributes:
        stated: What manifests say of it.
    """

    stated: dict[str, str]

    def reader(self, precision: str, *, slots: int, stretch: float) -> Reader:
        """Return a reader of the whole context in an arithmetic.

        Args:
            precision: Of the products, as in ``TextOptions``.
            slots: Texts at once, at most; fewer where their keys and values would take too much memory.
            stretch: How many times longer than trained the context is taken.
        """


class WeightsReader(Reader):
    """Our own decoder.

    Args:
        weights: Packed weights that reach as far as the capacity.
        slots: Number of slots.
        capacity: Positions a slot.
    """

    def __init__(self, weights: DecoderWeights, *, slots: int, capacity: int) -> None:
        shape = weights.shape
        self.slots = slots
        self.capacity = capacity
        self._weights = weights
        self._cache = KeyValueCache(
            depth=shape.depth,
            slots=slots,
            heads=shape.key_value_heads,
            capacity=capacity,
            head_width=shape.head_width,
            device=str(weights.embedding.device),
        )
        self.lengths = self._cache.lengths
        self._rows = RowDecoder(weights, self._cache) if self._cache.arrays else None
        # On the CPU no company may change a bit of a text.
        self._reads_together = self._rows is None or weights.head.is_alike

    def read(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after the last of each."""
        rest = [(torch.tensor(row), slot) for row, slot in zip(rows, slots)]
        found: list[Tensor] = []
        for pairs in [rest] if self._reads_together else [[one] for one in rest]:
            tokens, places = zip(*pairs)
            found += read_block(self._weights, self._cache, tokens, slots=places).cpu().unbind()
        return found

    def append(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after every one of them."""
        if self._rows is None:
            return read_blocks(self._weights, self._cache, [torch.tensor(row) for row in rows], slots=slots)
        flat = [token for row in rows for token in row]
        made = self._rows.step(flat, [slot for row, slot in zip(rows, slots) for _ in row])
        return torch.from_numpy(made).split([len(row) for row in rows])
