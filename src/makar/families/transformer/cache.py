"""The static key-value cache: one block of memory a layer, written in place, with a length for every slot.

Keys and values of one layer and slot are neighbours ([2 * key-value heads, capacity, head width]), so that one step stores both with one
write. Positions beyond a slot's length hold old numbers and are never read. Nothing is ever moved or grown.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class KeyValueCache:
    """Keys and values of every layer for a number of slots.

    Args:
        depth: Number of layers.
        slots: Number of examples that are kept at once.
        heads: Key-value heads.
        capacity: Positions a slot.
        head_width: Size of one head.
        device: Where it lives.
        dtype: Type of its numbers.
    """

    def __init__(
        self,
        *,
        depth: int,
        slots: int,
        heads: int,
        capacity: int,
        head_width: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.capacity = capacity
        self.lengths = [0] * slots
        sizes = (slots, 2, heads, capacity, head_width)
        is_plain = torch.device(device).type == "cpu" and dtype == torch.float32
        # NumPy asks the system for zeros, so that places which no text has reached take no memory; torch writes them all.
        self.layers = [
            torch.from_numpy(np.zeros(sizes, np.float32))
            if is_plain
            else torch.zeros(sizes, device=device, dtype=dtype)
            for _ in range(depth)
        ]
        self.arrays: list[list[np.ndarray]] = []
        """For the CPU: by layer and slot, the same memory as [2 * heads, capacity, head width]."""
        if is_plain:
            joined = [layer.view(slots, 2 * heads, capacity, head_width).numpy() for layer in self.layers]
            self.arrays = [[layer[slot] for slot in range(slots)] for layer in joined]

    def keys(self, layer: int) -> Float[Tensor, "slots heads capacity head_width"]:
        """Return the keys of a layer as a view."""
        return self.layers[layer][:, 0]

    def values(self, layer: int) -> Float[Tensor, "slots heads capacity head_width"]:
        """Return the values of a layer as a view."""
        return self.layers[layer][:, 1]

    def remaining(self, slot: int) -> int:
        """Return how many positions a slot still has."""
        return self.capacity - self.lengths[slot]
