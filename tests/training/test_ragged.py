"""Examples that differ in length: every one is drawn once an epoch, like lengths together, whole, with marks of its own length."""

import numpy as np

from makar.data.record import Record
from makar.data.store import build_store
from makar.training.ragged import RaggedItems


def test_like_lengths_are_drawn_together_and_every_example_once_an_epoch(tmp_path):
    draw = np.random.default_rng(0)
    rows = [np.arange(1, 2 + size, dtype=np.uint16) for size in draw.integers(1, 60, 64)]
    records = [
        Record(id=str(number), medium="text", content="x", document=str(number), source="s", split="train")
        for number in range(len(rows))
    ]

    def encode(record):
        tokens = rows[int(record.id)]
        return {"target": tokens, "learned": (tokens > 1).astype(np.uint8)}

    store = build_store(tmp_path / "store", records, encode, key="ragged")
    items = RaggedItems(store, seed=0, together=8)
    first, second = items.order(0), items.order(1)
    assert sorted(first.tolist()) == list(range(64)) and not np.array_equal(first, second)
    lengths = np.array([len(row) for row in rows])
    longest = lengths[first].reshape(-1, 8).max(1)
    assert 1 - lengths.sum() / (8 * longest.sum()) < 0.2
    found = items.gather(np.array([3, 5]))
    for name, values in found.items():
        assert values.shape == (2, max(lengths[3], lengths[5])), name
    assert np.array_equal(found["target"][0, : lengths[3]], rows[3]) and not found["target"][0, lengths[3] :].any()
    assert np.array_equal(found["learned"] > 0, found["target"] > 1)
