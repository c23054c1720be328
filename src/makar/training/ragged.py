"""Examples that differ in length: those of like lengths are drawn together, so that little is computed for what only fills up.

An epoch is shuffled, cut into pools, each pool is sorted by length and cut into batches, and the batches are shuffled. What is left over at
the end of an epoch that makes no whole batch is left out; as each epoch has an order of its own, that is something else every time.
A batch is as long as its longest example; the others are filled up with ``PADDING_TOKEN``, which is 0.
"""

import functools

import numpy as np

from makar.data.store import Store
from makar.errors import ConfigError
from makar.training.randomness import numpy_generator

POOL_BATCHES = 64
"""Batches of a pool: more waste less. 5,000 alpaca rows in batches of 16 leave 2.9 % of the positions empty, 62 % in order of arrival."""

FEWEST_BATCHES = 8
"""Batches of an epoch below which nothing is left out."""


class RaggedItems:
    """The examples of one store.

    Args:
        store: Encoded examples; at least one slot differs in length.
        seed: Seed of the order.
        together: Examples of a batch.

    Raises:
        ConfigError: A slot of the store has more axes than its length.
    """

    def __init__(self, store: Store, *, seed: int, together: int) -> None:
        self._seed = seed
        self._columns = {name: (np.asarray(column.values), column.offsets) for name, column in store.columns.items()}
        lengths = np.zeros(len(store), np.int64)
        for name, (values, offsets) in self._columns.items():
            if offsets is not None:
                if values.ndim > 1:
                    raise ConfigError(f'slot "{name}" has further axes', expected="a row of tokens an example")
                lengths += np.diff(offsets)
        self._lengths = lengths
        self._together = max(1, min(together, len(store) // FEWEST_BATCHES))
        self.count = len(store) - len(store) % self._together
        self.by_length = np.argsort(lengths, kind="stable")
        """Numbers of the examples, the shortest first."""
        self.order = functools.lru_cache(maxsize=2)(self._order)
        """From the number of an epoch to the numbers of its examples in the order in which they are drawn."""

    def gather(self, chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Return examples as one array a slot, filled up at the end."""
        return {name: _rows(values, offsets, chosen) for name, (values, offsets) in self._columns.items()}

    def _order(self, epoch: int) -> np.ndarray:
        generator = numpy_generator(self._seed, "epoch", epoch)
        shuffled = generator.permutation(len(self._lengths))[: self.count]
        pool = POOL_BATCHES * self._together
        pools = [shuffled[start : start + pool] for start in range(0, self.count, pool)]
        batches = np.concatenate([part[np.argsort(self._lengths[part], kind="stable")] for part in pools])
        return generator.permutation(batches.reshape(-1, self._together)).reshape(-1)


def _rows(values: np.ndarray, offsets: np.ndarray | None, chosen: np.ndarray) -> np.ndarray:
    if offsets is None:
        return values[chosen]
    starts = np.asarray(offsets[chosen])
    lengths = np.asarray(offsets[chosen + 1]) - starts
    places = np.arange(max(1, int(lengths.max(initial=0))))
    exists = places < lengths[:, None]
    found = (
        values[np.where(exists, starts[:, None] + places, 0)] if len(values) else np.zeros(exists.shape, values.dtype)
    )
    return np.where(exists, found, 0).astype(values.dtype)
