"""Names and texts that no UTF-8 file can hold: they are written out once, where they come in, and the files are still opened."""

import json
import os

import numpy as np
import pytest

from makar.data.dataset import open_dataset
from makar.data.entries import readable_name
from makar.data.store import build_store
from makar.errors import DataError
from tests.data.test_dataset import all_records, png, prose, write
from tests.data.test_layouts import picture

ODD = os.fsdecode(b"caf\xe9")


@pytest.fixture
def folder(tmp_path):
    try:
        (tmp_path / ODD).mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    write(tmp_path / ODD, {f"{number}{ODD}.txt": prose(number) for number in range(4)})
    return tmp_path


def test_a_name_that_is_utf8_stays_and_other_bytes_are_written_out():
    assert readable_name("straße/日本.txt") == "straße/日本.txt"
    assert readable_name(ODD) == "caf\\xe9"


def test_files_of_any_name_are_read_and_stored(folder, tmp_path):
    dataset = open_dataset(folder)
    found = [record for records in all_records(dataset).values() for record in records]
    assert {record.source.partition(" ")[0] for record in found} == {
        f"caf\\xe9/{number}caf\\xe9.txt" for number in range(4)
    }
    assert all(record.content for record in found)
    json.dumps(dataset.inspection.to_dictionary(), ensure_ascii=False).encode()
    store = build_store(tmp_path / "store", found, lambda record: {"x": np.zeros(3)}, key="k")
    assert len(list(store.sources())) == len(found)


def test_labels_and_captions_beside_files_of_any_name_are_found(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(4):
            (tmp_path / label / f"{number}{ODD}.png").write_bytes(
                png(picture(number + 10 * len(label) * ord(label[0])))
            )
            (tmp_path / label / f"{number}{ODD}.txt").write_text(f"a {label}")
    dataset = open_dataset(tmp_path)
    assert dataset.medium == "image"
    assert dataset.inspection.labels == {"cat": 4, "dog": 4}
    assert dataset.inspection.captions == 8


def test_a_source_whose_own_path_cannot_be_written_is_refused(folder):
    with pytest.raises(DataError, match=r"caf\\xe9 is not UTF-8") as refused:
        open_dataset(folder / ODD)
    str(refused.value).encode()


def test_halves_of_characters_in_json_are_replaced(tmp_path):
    rows = [{"text": prose(number) + "\ud83d", "label": "\udc80", "lan\ud800": 1} for number in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "more.json").write_text(json.dumps([{"text": prose(99) + "\ud83d \U0001f600", "label": "\udc80"}]))
    dataset = open_dataset(tmp_path)
    json.dumps(dataset.inspection.to_dictionary(), ensure_ascii=False).encode()
    found = [record for records in all_records(dataset).values() for record in records]
    assert len(found) == 31
    for record in found:
        (record.content + str(record.label) + str(record.language)).encode()
    assert any(record.content.endswith("\ufffd \U0001f600") for record in found)
