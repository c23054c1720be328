"""Stores: what goes in comes out, a killed build goes on, and nothing depends on how examples happen to fall."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from makar.data.record import Record
from makar.data.store import Store, build_store, write_arrays
from makar.errors import DataError, EmptyDataError, IntegrityError, OutOfSpaceError


def records(count, *, start=0):
    for number in range(start, count):
        yield Record(
            id=f"{number:016x}",
            medium="text",
            content="x" * (number % 7 + 1),
            document=f"d{number}",
            source="s",
            split="train",
        )


def encode(record):
    return {"target": np.arange(len(record.content), dtype=np.uint16), "class": np.array(int(record.id, 16) % 3)}


def test_every_example_comes_out_as_it_went_in(tmp_path):
    store = build_store(tmp_path / "s", records(100), encode, key="k", shard_bytes=5000)
    assert len(store) == 100
    for number, record in enumerate(records(100)):
        assert np.array_equal(store.columns["target"][number], encode(record)["target"])
        assert store.columns["class"][number] == number % 3
    assert [row["document"] for row in store.sources()] == [f"d{number}" for number in range(100)]
    store.verify()


def test_a_part_is_a_store_of_some_examples(tmp_path):
    store = build_store(tmp_path / "s", records(20), encode, key="k")
    part = store.part(np.array([3, 7, 19]))
    assert len(part) == 3 and len(store) == 20
    for place, number in enumerate((3, 7, 19)):
        assert np.array_equal(part.columns["target"][place], store.columns["target"][number])
        assert part.columns["class"][place] == number % 3
    assert [row["document"] for row in part.sources()] == ["d3", "d7", "d19"]
    assert len(store.part(np.array([], np.int64))) == 0


def test_a_killed_build_goes_on_after_its_last_shard(tmp_path):
    def stopped():
        yield from records(50)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path / "s", stopped(), encode, key="k", shard_bytes=5000)
    encoded = []

    def counting(record):
        encoded.append(record)
        return encode(record)

    store = build_store(tmp_path / "s", records(100), counting, key="k", shard_bytes=5000)
    whole = build_store(tmp_path / "t", records(100), encode, key="k")
    assert 50 <= len(encoded) < 100
    assert store.header["files"] == whole.header["files"]


def test_the_same_key_opens_and_another_builds_anew(tmp_path):
    build_store(tmp_path / "s", records(10), encode, key="a")
    again = build_store(tmp_path / "s", iter(()), encode, key="a")
    assert len(again) == 10
    assert len(build_store(tmp_path / "s", records(4), encode, key="b")) == 4


def test_a_changed_byte_is_found_and_an_unchanged_store_passes(tmp_path):
    store = build_store(tmp_path / "s", records(10), encode, key="k")
    store.verify()
    file = tmp_path / "s" / "target.bin"
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(IntegrityError):
        store.verify()


def test_a_slot_of_one_axis_is_ragged_even_when_lengths_agree(tmp_path):
    def same(record):
        return {"target": np.zeros(5, np.uint16), "picture": np.zeros((1, 2, 2), np.uint8)}

    for count in (1, 3):
        store = build_store(tmp_path / str(count), records(count), same, key="k")
        assert store.columns["target"].values.shape == (5 * count,)
        assert store.columns["target"].offsets.tolist() == [5 * place for place in range(count + 1)]
        assert store.columns["picture"].offsets is None
        assert store.columns["picture"].values.shape == (count, 1, 2, 2)


def test_nothing_encoded_is_an_error_unless_allowed(tmp_path):
    with pytest.raises(EmptyDataError):
        build_store(tmp_path / "s", records(3), lambda record: {}, key="k")
    assert len(build_store(tmp_path / "t", records(3), lambda record: {}, key="k", allow_empty=True)) == 0


def test_arrays_of_different_shape_are_refused(tmp_path):
    def uneven(record):
        return {"target": np.zeros((1, len(record.content)), np.uint8)}

    with pytest.raises(DataError):
        build_store(tmp_path / "s", records(5), uneven, key="k")


def test_a_full_disk_is_named_and_finished_shards_stay(tmp_path):
    def full():
        yield from records(50)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutOfSpaceError):
        build_store(tmp_path / "s", full(), encode, key="k", shard_bytes=5000)
    assert (tmp_path / "s" / "building" / "000000" / "shard.json").exists()


def test_a_store_of_another_version_or_with_a_missing_part_is_built_again(tmp_path):
    build_store(tmp_path / "s", records(10), encode, key="k")
    (tmp_path / "s" / "target.bin").unlink()
    with pytest.raises(DataError):
        Store(tmp_path / "s")
    assert len(build_store(tmp_path / "s", records(10), encode, key="k")) == 10
    header = json.loads((tmp_path / "s" / "store.json").read_text())
    (tmp_path / "s" / "store.json").write_text(json.dumps(header | {"schema": 99}))
    assert len(build_store(tmp_path / "s", records(10), encode, key="k")) == 10


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")


@needs_full
def test_a_full_disk_has_a_number_however_arrays_are_written():
    with pytest.raises(OSError) as caught:
        write_arrays(Path("/dev/full"), [np.zeros(10)])
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError) as caught:
        np.zeros(100_000).tofile("/dev/full")  # the reason for write_arrays
    assert caught.value.errno is None


@needs_full
@pytest.mark.parametrize("part", [".lengths", ".offsets.bin", ".bin", "sources.jsonl"])
def test_a_disk_that_is_full_for_any_part_is_named_and_the_next_call_goes_on(tmp_path, monkeypatch, part):
    real = Path.open

    def full(path, mode="r", *arguments, **options):
        # The folder of the tests may not be replaced by a device.
        return real(
            Path("/dev/full") if "w" in mode and path.name.endswith(part) else path, mode, *arguments, **options
        )

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OutOfSpaceError):
            build_store(tmp_path / "s", records(50), encode, key="k", shard_bytes=5000)
    assert not (tmp_path / "s" / "store.json").exists()
    store = build_store(tmp_path / "s", records(50), encode, key="k", shard_bytes=5000)
    store.verify()
    assert len(store) == 50


def test_every_file_of_a_store_is_on_the_disk_before_its_header(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def noted(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("open files are listed in /proc on Linux only")
    monkeypatch.setattr(os, "fsync", noted)
    store = build_store(tmp_path / "s", records(5), encode, key="k")
    for name in store.header["files"]:
        assert name in synced[: synced.index("store.json.tmp")]
    assert synced[-1] == "s"
