"""Batches follow from the seed and the position alone, and see everything once an epoch."""

import numpy as np
import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.data.store import build_store
from makar.errors import ConfigError, EmptyDataError
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.translation_config import CycleganConfig
from makar.training import batches
from makar.training.batches import BatchSource
from tests.contract import samples


@pytest.fixture
def source(workshop):
    def make(kind="language", seed=0):
        shop = workshop(kind)
        return BatchSource(shop.data.stores["train"], shop.data.codec, family=shop.family().config, seed=seed)

    return make


def test_the_same_position_gives_the_same_batch_in_another_process_order(source):
    first, second = source(), source()
    later = first.batch(640, 8)["target"]
    first.batch(0, 8)
    assert torch.equal(later, second.batch(640, 8)["target"])
    assert not torch.equal(later, source(seed=1).batch(640, 8)["target"])


def test_a_batch_may_be_drawn_in_parts(source):
    whole = source().batch(96, 16)["target"]
    parts = [source().batch(96 + 4 * part, 4)["target"] for part in range(4)]
    assert torch.equal(whole, torch.cat(parts))


def test_every_item_is_seen_once_an_epoch_in_a_new_order(source):
    points = source("gan")
    epochs = [points.batch(epoch * points.count, points.count)["target"] for epoch in range(3)]
    ordered = [sorted(map(tuple, epoch.tolist())) for epoch in epochs]
    assert ordered[0] == ordered[1] == ordered[2]
    assert not torch.equal(epochs[0], epochs[1])


def test_windows_of_an_epoch_do_not_overlap_and_boundaries_move(source):
    windows = source()
    starts = []
    for epoch in range(3):
        order, offset = windows._epoch(epoch)
        starts.append(np.sort(order * windows.window_length + offset))
        assert np.all(np.diff(starts[-1]) == windows.window_length)
        assert starts[-1][-1] + windows.window_length + 1 <= windows._total
    assert len({int(start[0]) for start in starts}) > 1


def test_windows_are_spans_of_the_stored_stream(source, workshop):
    windows = source()
    stream = windows._columns["target"].astype(np.int64)
    spans = {stream[i : i + 13].tobytes() for i in range(len(stream) - 12)}
    for window in windows.batch(0, 200)["target"]:
        assert window.dtype == torch.int64 and window.numpy().tobytes() in spans


def test_large_stores_are_drawn_without_a_shuffle(source, monkeypatch):
    monkeypatch.setattr(batches, "LARGEST_SHUFFLE", 4)
    batches._order.cache_clear()
    drawn = source().batch(16, 8)["target"]
    assert drawn.shape == (8, 13) and torch.equal(drawn, source().batch(16, 8)["target"])
    batches._order.cache_clear()


def test_fixed_examples_lie_evenly_over_the_store(source):
    points = source("gan")
    assert points.fixed(0, 100, of=points.count)["target"].shape[0] == points.count
    assert points.fixed(0, 4, of=4)["target"].shape == (4, 2)
    assert torch.equal(points.fixed(4, 4, of=8)["target"], points.fixed(0, 8, of=8)["target"][4:])


def test_a_text_shorter_than_a_window_is_read_round(workshop, tmp_path):
    from makar.data.record import Record
    from makar.data.store import build_store

    shop = workshop()
    record = Record(
        id="0", medium="text", content=np.arange(5, dtype=np.uint16), document="d", source="s", split="train"
    )
    store = build_store(tmp_path / "short", [record], lambda one: {"target": one.content}, key="short")
    source = BatchSource(store, shop.data.codec, family=shop.family().config, seed=0)
    assert source.batch(0, 1)["target"].tolist() == [[0, 1, 2, 3, 4] * 2 + [0, 1, 2]]


def test_pages_are_given_back(source, monkeypatch):
    monkeypatch.setattr(batches, "RELEASE_AFTER_BYTES", 1)
    assert torch.equal(source().batch(0, 8)["target"], source().batch(0, 8)["target"])


def test_an_empty_store_and_ragged_items_are_refused(workshop, tmp_path):
    from makar.data.store import build_store

    shop = workshop()
    empty = build_store(tmp_path / "empty", [], lambda one: {}, key="e", allow_empty=True)
    with pytest.raises(EmptyDataError):
        BatchSource(empty, shop.data.codec, family=shop.family().config, seed=0)
    with pytest.raises(ConfigError, match="length"):
        BatchSource(shop.data.stores["train"], shop.data.codec, family=workshop("gan").family().config, seed=0)


def test_a_balanced_family_gets_classes_in_turn_and_sees_all_of_each(tmp_path):
    codec, numbers = samples.codec("image", "image"), {"even": [], "odd": []}
    records = [record for record in samples.records("image") if record.label == "even"][:2]
    records += [record for record in samples.records("image") if record.label == "odd"]
    codec = fit_codec(codec.config.changed(use_labels=True), iter(records))
    store = build_store(tmp_path / "store", records, codec.encode, key="balanced")
    source = BatchSource(store, codec, family=CycleganConfig(), seed=0)
    assert source.count == 2 * 6
    batch = source.batch(0, 12)
    assert batch["class"].tolist() == [0, 1] * 6
    for image, label in zip(batch["target"], batch["class"]):
        numbers["odd" if label else "even"].append(image.sum().item())
    assert len(set(numbers["odd"])) == 6 and len(set(numbers["even"])) == 2
    assert torch.equal(torch.cat([source.batch(start, 3)["target"] for start in (0, 3, 6, 9)]), batch["target"])
    fixed = source.fixed(0, 6, of=6)
    assert fixed["class"].tolist() == [0, 1] * 3 and len({image.sum().item() for image in fixed["target"]}) == 5
    plain = BatchSource(store, codec, family=DcganConfig(), seed=0)
    assert plain.count == 8
