"""Stores are compared with their hashes when a run starts, and made again when they are damaged."""

import pytest

from makar.api import stores as module
from makar.api.novelty import STORES_NAME, remember_stores
from makar.api.stores import prepare, store_folder
from makar.codecs.text_config import ByteCodecConfig
from makar.data.dataset import open_dataset
from tests.data.test_dataset import prose


@pytest.fixture
def dataset():
    return open_dataset([prose(number) for number in range(40)])


def said(events):
    return [event["message"] for event in events if event["event"] == "note"]


def test_a_damaged_store_is_found_when_a_run_starts_and_made_again(dataset):
    config, events = ByteCodecConfig(), []
    first = prepare(dataset, config, on_event=events.append).stores["train"]
    expected = first.columns["target"].values.copy()
    place = store_folder(dataset.fingerprint, config) / "train" / "target.bin"
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)
    events.clear()
    again = prepare(dataset, config, on_event=events.append).stores["train"]
    assert (again.columns["target"].values == expected).all()
    assert len(said(events)) == 1 and "encoded again" in said(events)[0]
    events.clear()
    prepare(dataset, config, on_event=events.append)
    assert not events


def test_a_large_store_is_announced(dataset, monkeypatch):
    events = []
    monkeypatch.setattr(module, "LARGE_BYTES", 1)
    prepare(dataset, ByteCodecConfig(), on_event=events.append)
    assert not said(events)  # what was just written was hashed while it was joined
    prepare(dataset, ByteCodecConfig(), on_event=events.append)
    assert len(said(events)) == 3 and all("speed of the disk" in message for message in said(events))


def test_the_note_of_the_stores_is_replaced_whole(tmp_path, monkeypatch):
    remember_stores(tmp_path, tmp_path / "first")
    before = (tmp_path / STORES_NAME).read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        remember_stores(tmp_path, tmp_path / "second")
    assert (tmp_path / STORES_NAME).read_bytes() == before
