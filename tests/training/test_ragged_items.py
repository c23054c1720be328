"""Examples that differ in length: each once an epoch, like lengths together, filled up with zeros."""

import numpy as np
import pytest

from makar.data.record import Record
from makar.data.store import build_store
from makar.errors import ConfigError
from makar.training.ragged import RaggedItems


@pytest.fixture
def store(tmp_path):
    lengths = np.random.default_rng(0).integers(1, 60, 400)
    rows = {str(number): np.arange(1, length + 1, dtype=np.uint16) for number, length in enumerate(lengths)}
    records = [Record(id=name, medium="text", content=name, document=name, source=name, split="train") for name in rows]

    def encode(record):
        return {"source": rows[record.id], "target": rows[record.id][:2], "label": np.int64(record.id)}

    return build_store(tmp_path / "store", records, encode, key="k")


def test_every_example_comes_once_an_epoch_in_another_order(store):
    items = RaggedItems(store, seed=0, together=16)
    first, second = items.order(0), items.order(1)
    assert (
        sorted(first) == list(range(400)) and sorted(second) == list(range(400)) and not np.array_equal(first, second)
    )
    assert np.array_equal(first, RaggedItems(store, seed=0, together=16).order(0))


def test_a_batch_holds_like_lengths(store):
    items = RaggedItems(store, seed=0, together=16)
    places = used = 0
    for batch in items.order(0).reshape(-1, 16):
        rows = items.gather(batch)["source"]
        places, used = places + rows.size, used + np.count_nonzero(rows)
    assert used / places > 0.9
    drawn = [np.random.default_rng(1).permutation(400)[:16] for _ in range(20)]
    rows = [items.gather(batch)["source"] for batch in drawn]
    assert sum(map(np.count_nonzero, rows)) / sum(row.size for row in rows) < 0.7


def test_rows_are_whole_and_filled_up_with_zeros(store):
    items = RaggedItems(store, seed=0, together=16)
    found = items.gather(np.array([3, 399, 0]))
    for row, number in enumerate((3, 399, 0)):
        own = store.columns["source"][number]
        assert np.array_equal(found["source"][row, : len(own)], own) and not found["source"][row, len(own) :].any()
    assert found["label"].tolist() == [3, 399, 0]


def test_what_makes_no_whole_batch_is_left_out_of_an_epoch_unless_there_is_little(store):
    items = RaggedItems(store, seed=0, together=32)
    assert items.count == 384 and len(set(items.order(0))) == 384
    assert RaggedItems(store, seed=0, together=1000).count == 400


def test_slots_with_further_axes_are_refused(tmp_path):
    records = [
        Record(id=str(number), medium="text", content="0", document="0", source="0", split="train") for number in (1, 2)
    ]
    store = build_store(tmp_path / "s", records, lambda record: {"target": np.ones((int(record.id), 2))}, key="k")
    with pytest.raises(ConfigError, match="axes"):
        RaggedItems(store, seed=0, together=1)
