"""Draws batches from a store's memory maps: which examples a step sees follows from (seed, position) alone.

``windows`` cuts one long stream into spans of ``window_length`` + 1 positions, in a new order and from a new offset every epoch, so that
every position is seen once an epoch and boundaries move. ``items`` draws whole examples in a new order every epoch, and so does ``ragged``,
whose examples differ in length (``ragged.py``); a family that is ``balanced_by`` a class gets them from the classes in turn, each class in
an order of its own, the rarer ones more often. Positions count windows or items since the start of the run: step s of size b takes s*b to
(s+1)*b. Nothing is copied but the batch, and pages that were touched are given back, so that resident memory stays small however large the
store is.
"""

import functools
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.data.mapped import release
from makar.data.store import Store
from makar.errors import ConfigError, EmptyDataError
from makar.families.family import Batch
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import TARGET
from makar.training.ragged import RaggedItems
from makar.training.randomness import numpy_generator

FIRST_LOOK_TOKENS = 1_000_000
FIRST_LOOK_ITEMS = 1024
FIRST_LOOK_BATCH = 128
LARGEST_SHUFFLE = 1 << 22
RELEASE_AFTER_BYTES = 256 << 20
PAGE_BYTES = 4096


class BatchSource:
    """Batches of one store.

    Args:
        store: Encoded examples.
        codec: Turns stored values into what the family expects.
        family: Says how examples are cut.
        seed: Seed of the order.
        device: Where batches go.
        together: Ragged examples that are drawn as one batch.

    Raises:
        EmptyDataError: The store has no example.
        ConfigError: The store's slots cannot be cut that way.
    """

    def __init__(
        self,
        store: Store,
        codec: Codec,
        *,
        family: FamilyConfig,
        seed: int,
        device: str = "cpu",
        together: int = 1,
    ) -> None:
        if len(store) == 0:
            raise EmptyDataError(f"{store.path} holds no example", expected="at least one")
        self.batching: Literal["items", "windows", "ragged"] = family.batching
        self.window_length = family.window_length
        self._codec = codec
        self._seed = seed
        self._device = device
        # Plain views: indexing a memmap runs Python code for every result.
        self._columns = {name: np.asarray(column.values) for name, column in store.columns.items()}
        self._touched_bytes = 0
        self._classes: list[np.ndarray] = []
        self._ragged: RaggedItems | None = None
        if self.batching == "ragged":
            self._ragged = RaggedItems(store, seed=seed, together=together)
            self.count = self._ragged.count
        elif self.batching == "windows":
            if set(self._columns) != {TARGET}:
                raise ConfigError(f"windows are cut from slots {sorted(self._columns)}", expected=f'only "{TARGET}"')
            if store.columns[TARGET].offsets is None:
                # Examples of one length are stored as a table; end to end they are the stream.
                stream = self._columns[TARGET]
                self._columns[TARGET] = stream.reshape(-1, *stream.shape[2:])
            self._total = len(self._columns[TARGET])
            self.count = max(1, (self._total - self.window_length) // self.window_length)
        else:
            ragged = []
            for name, column in store.columns.items():
                if column.offsets is None:
                    continue
                # One axis is always stored end to end; examples of one length are a table all the same.
                length = int(column.offsets[1])
                if np.array_equal(column.offsets, length * np.arange(len(store) + 1)):
                    self._columns[name] = self._columns[name].reshape(len(store), length, *column.values.shape[1:])
                else:
                    ragged.append(name)
            if ragged:
                raise ConfigError(
                    f"whole examples are drawn, but slots {sorted(ragged)} differ in length",
                    expected="one shape a slot, or a family that reads windows",
                )
            self.count = len(store)
            self._classes = self._places_by_class(family)
            if self._classes:
                self.count = len(self._classes) * max(map(len, self._classes))

    @property
    def items_per_position(self) -> int:
        """Tokens (windows, ragged), usual ones, or examples (items) that one position stands for."""
        return 1 if self.batching == "items" else self.window_length

    def batch(self, first: int, count: int) -> Batch:
        """Return ``count`` windows or items from position ``first`` on, in the shuffled order.

        Returns:
            One tensor a slot: ``target`` is int64 ``[count, window_length + 1]`` for windows.
        """
        positions = np.arange(first, first + count)
        if self._classes:
            return self._gather(self._in_turn(positions))
        epochs = positions // self.count
        parts = []
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            order, offset = (None, 0) if self._ragged is not None else self._epoch(epoch)
            ranks = positions[epochs == epoch] % self.count
            if self._ragged is not None:
                chosen = self._ragged.order(epoch)[ranks]
            elif order is None:
                chosen = numpy_generator(self._seed, "draw", first, epoch).integers(self.count, size=len(ranks))
            else:
                chosen = order[ranks]
            parts.append(chosen * self.window_length + offset if self.batching == "windows" else chosen)
        return self._gather(np.concatenate(parts))

    def first_look(self) -> Iterator[Batch]:
        """Yield the first examples of the order, up to an epoch, for a start that is better than blind."""
        most = FIRST_LOOK_TOKENS // self.window_length if self.batching == "windows" else FIRST_LOOK_ITEMS
        total = min(self.count, most)
        for first in range(0, total, FIRST_LOOK_BATCH):
            yield self.batch(first, min(FIRST_LOOK_BATCH, total - first))

    def fixed(self, first: int, count: int, *, of: int) -> Batch:
        """Return the examples ``first`` to ``first + count`` of ``of`` that lie evenly over the store: the same at every call."""
        if self._classes:
            turns = np.arange(first, min(first + count, of))
            each = -(-of // len(self._classes))
            places = [self._classes[turn % len(self._classes)] for turn in turns.tolist()]
            ranks = (turns // len(self._classes)).tolist()
            return self._gather(np.array([own[rank * len(own) // each] for own, rank in zip(places, ranks)]))
        chosen = np.arange(first, min(first + count, of)) * self.count // of
        if self._ragged is not None:
            return self._gather(self._ragged.by_length[chosen])
        return self._gather(chosen * self.window_length if self.batching == "windows" else chosen)

    def _places_by_class(self, family: FamilyConfig) -> list[np.ndarray]:
        if family.balanced_by is None:
            return []
        labels = self._columns[family.balanced_by].reshape(-1)
        return [np.flatnonzero(labels == number) for number in np.unique(labels)]

    def _in_turn(self, positions: np.ndarray) -> np.ndarray:
        """Return one example a position, of the classes in turn."""
        chosen = np.empty(len(positions), np.int64)
        for number, own in enumerate(self._classes):
            mine = np.flatnonzero(positions % len(self._classes) == number)
            ranks = positions[mine] // len(self._classes)
            for epoch in np.unique(ranks // len(own)).tolist():
                here = ranks // len(own) == epoch
                # Orders differ between classes, so that what lies at the same place of two is no pair.
                order = _class_order(self._seed, epoch, len(own), number)
                chosen[mine[here]] = own[order[ranks[here] % len(own)]]
        return chosen

    def _epoch(self, epoch: int) -> tuple[np.ndarray | None, int]:
        return _order(self._seed, epoch, self.count, self.window_length if self.batching == "windows" else 1)

    def _gather(self, chosen: np.ndarray) -> Batch:
        batch: Batch = {}
        if self.batching == "windows":
            places = chosen[:, None] + np.arange(self.window_length + 1)
            if self._total < int(places.max()) + 1:
                # A text shorter than one window is read round and round.
                places %= self._total
            stored = {TARGET: self._columns[TARGET][places]}
        elif self._ragged is not None:
            stored = self._ragged.gather(chosen)
        else:
            stored = {name: values[chosen] for name, values in self._columns.items()}
        self._touched_bytes += sum(max(values.nbytes, len(chosen) * PAGE_BYTES) for values in stored.values())
        for name, values in self._codec.completed(stored).items():
            values = self._codec.to_model(name, values)
            if values.dtype.kind in "ui":
                values = values.astype(np.int64)
            tensor = torch.from_numpy(np.ascontiguousarray(values))
            batch[name] = tensor if self._device == "cpu" else tensor.to(self._device, non_blocking=True)
        if self._touched_bytes > RELEASE_AFTER_BYTES:
            for column in self._columns.values():
                release(column)
            self._touched_bytes = 0
        return batch


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int, window_length: int) -> tuple[np.ndarray | None, int]:
    """Return the order of an epoch and the offset of its windows; no order where a shuffle would take more than 32 MB."""
    generator = numpy_generator(seed, "epoch", epoch)
    offset = int(generator.integers(window_length)) if epoch else 0
    # Beyond four million examples a run hardly sees one twice, and drawing with replacement is as good.
    return (generator.permutation(count) if count <= LARGEST_SHUFFLE else None), offset


@functools.lru_cache(maxsize=4)
def _class_order(seed: int, epoch: int, count: int, number: int) -> np.ndarray:
    """Return the order of one class in an epoch of its own."""
    return numpy_generator(seed, "epoch", epoch, number).permutation(count)
