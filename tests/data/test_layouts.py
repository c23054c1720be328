"""Layouts that people use: official parts, tables, captions, labels, licences, archives; each is understood and said."""

import csv
import gzip
import json
import zipfile

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from makar.data.dataset import open_dataset
from makar.data.wave_file import wave_bytes
from makar.errors import DataError
from tests.data.test_dataset import all_records, picture, png, prose, reasons, write
from tests.data.test_sound import tone


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def rows(count, *, start=0, **more):
    return [{"text": prose(start + number), **more} for number in range(count)]


# Official parts


def test_a_split_column_is_honoured(tmp_path):
    parts = rows(40, split="train") + rows(5, start=100, split="validation") + rows(6, start=200, split="test")
    dataset = open_dataset(write(tmp_path, {"all.jsonl": lines(parts)}))
    splits = dataset.inspection.splits
    assert splits["origin"] == "official test part"
    assert splits["held_out"]["documents"] == 6 and splits["unused"] == {"validation": 5}
    assert splits["train"]["documents"] + splits["inner"]["documents"] == 40
    held_out = {record.content for record in dataset.records("held_out")}
    assert held_out == {row["text"] for row in parts if row["split"] == "test"}


@pytest.mark.parametrize(
    "train, test",
    [
        ("train.jsonl", "test.jsonl"),
        ("train.jsonl.gz", "dev.jsonl.gz"),
        ("qa_train.jsonl", "qa_val.jsonl"),
        ("train-00000-of-00001.jsonl", "validation-00000-of-00001.jsonl"),
        ("train/a.jsonl", "test/a.jsonl"),
        ("training/a.jsonl", "deep/x.jsonl"),
    ],
)
def test_parts_named_by_files_and_folders_are_honoured(tmp_path, train, test):
    def content(name, text):
        return gzip.compress(text.encode()) if name.endswith(".gz") else text

    files = {train: content(train, lines(rows(30))), test: content(test, lines(rows(5, start=100)))}
    splits = open_dataset(write(tmp_path, files)).inspection.splits
    assert splits["origin"].startswith("official") == ("deep" not in test)


def test_words_in_names_of_texts_and_programs_are_no_parts(tmp_path):
    texts = {f"{number}.txt": prose(number) for number in range(30)} | {
        "litmus_test.txt": prose(90),
        "the_last_train.txt": prose(91),
    }
    assert open_dataset(write(tmp_path / "a", texts)).inspection.splits["origin"].startswith("stable hash")
    code = {f"package/m{number}.py": f"value_{number} = {number}\n" * 20 for number in range(30)}
    code |= {f"test/test_{number}.py": f"def test_{number}():\n    assert {number}\n" * 9 for number in range(9)}
    dataset = open_dataset(write(tmp_path / "b", code))
    assert dataset.medium == "code" and dataset.inspection.splits["origin"].startswith("stable hash")
    assert dataset.inspection.languages == {"python": 39}


def test_texts_named_alike_but_for_the_part_are_parts(tmp_path):
    files = {f"wiki.{part}.tokens": prose(place, 3000) for place, part in enumerate(("train", "valid", "test"))}
    splits = open_dataset(write(tmp_path, files)).inspection.splits
    assert splits["origin"] == "official test part" and splits["cut_documents"] == 1


def test_a_test_part_alone_is_split_anew_and_said(tmp_path):
    dataset = open_dataset(write(tmp_path, {"data.jsonl": lines(rows(40, split="test"))}))
    assert dataset.inspection.splits["train"]["documents"] > 30
    assert any("no training part" in warning for warning in dataset.inspection.warnings)


# Tables


def test_every_kind_of_table_gives_the_same_texts(tmp_path):
    table = [{"id": number, "text": prose(number).strip(), "label": "ab"[number % 2]} for number in range(30)]
    write(tmp_path / "jsonl", {"a.jsonl": lines(table)})
    write(tmp_path / "json", {"a.json": json.dumps(table)})
    write(tmp_path / "columns", {"a.json": json.dumps({key: [row[key] for row in table] for key in table[0]})})
    write(tmp_path / "named", {"a.json": lines(table)})
    for name, delimiter in (("csv", ","), ("tsv", "\t"), ("semicolon", ";")):
        folder = tmp_path / name
        folder.mkdir()
        with (folder / ("a.tsv" if name == "tsv" else "a.csv")).open("w", newline="") as file:
            writer = csv.DictWriter(file, table[0], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(table)
    (tmp_path / "parquet").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "parquet" / "a.parquet")
    expected = {row["text"]: row["label"] for row in table}
    for folder in sorted(tmp_path.iterdir()):
        dataset = open_dataset(folder)
        found = {record.content: record.label for records in all_records(dataset).values() for record in records}
        assert found == expected, folder.name
        assert dataset.inspection.labels == {"a": 15, "b": 15}


def test_long_fields_with_line_ends_and_quotes_survive_csv(tmp_path):
    text = 'He said "yes",\nand then nothing.\n' * 9000
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *[[number, text + str(number)] for number in range(3)]])
    dataset = open_dataset(tmp_path)
    found = "".join(
        record.content
        for records in all_records(dataset).values()
        for record in records
        if record.source.endswith("#1")
    )
    # The parts are stretches of the text that end with a line, so together they have its lines.
    assert sorted(found.splitlines()) == sorted((text + "1").splitlines())


def test_the_longest_column_is_the_text_and_the_same_one_in_every_table(tmp_path):
    first = [{"title": f"Title {n}", "story": prose(n, 60), "answer": prose(n + 99, 50)} for n in range(40)]
    second = [{"title": f"Title {n}", "story": prose(n + 200, 30), "answer": prose(n + 299, 50)} for n in range(5)]
    dataset = open_dataset(write(tmp_path, {"a.jsonl": lines(first), "b.jsonl": lines(second)}))
    assert dataset.inspection.notes == ['2 tables: content from column "story"; not used: title, answer']


def test_bad_lines_of_json_are_counted_and_the_rest_is_used(tmp_path):
    content = lines(rows(30)) + "{broken\n" + "\n" + lines(rows(1, start=50)) + json.dumps({"text": ""}) + "\n"
    dataset = open_dataset(write(tmp_path, {"a.jsonl": content}))
    assert dataset.inspection.used == 31
    assert reasons(dataset) == {"a line that is not valid JSON": 1, "a row without text": 1}


def test_conversations_and_lists_of_words_become_text(tmp_path):
    chats = [
        {"messages": [{"role": "user", "content": prose(n)}, {"role": "assistant", "content": prose(n + 50)}]}
        for n in range(25)
    ]
    words = [{"tokens": prose(n + 100).split()} for n in range(25)]
    dataset = open_dataset(write(tmp_path, {"a.jsonl": lines(chats), "b.jsonl": lines(words)}))
    contents = {record.source: record.content for record in dataset.records("train")}
    assert dataset.inspection.used == 50
    assert all(("\n\n" in content) == source.startswith("a") for source, content in contents.items())


def test_code_in_a_table_is_code(tmp_path):
    table = [{"description": prose(n), "code": f"def f{n}(x):\n    return x + {n}\n"} for n in range(30)]
    dataset = open_dataset(write(tmp_path, {"a.jsonl": lines(table)}))
    assert dataset.medium == "code" and next(dataset.records("train")).content.startswith("def f")


def test_refused_consent_is_respected_and_a_licence_column_read(tmp_path):
    table = rows(30, licence="CC BY 4.0", consent="granted") + rows(5, start=50, licence="MIT", consent="refused")
    dataset = open_dataset(write(tmp_path, {"a.jsonl": lines(table)}))
    assert dataset.inspection.used == 30 and reasons(dataset) == {"consent refused": 5}
    assert dataset.inspection.licences == {"CC-BY-4.0": 30}
    assert {record.consent for record in dataset.records("train")} == {"granted"}


@pytest.mark.parametrize("layout", ["binary", "pair"])
def test_images_in_parquet_bring_labels_by_name(tmp_path, layout):
    cells = [png(picture(number)) for number in range(30)]
    images = cells if layout == "binary" else [{"bytes": cell, "path": None} for cell in cells]
    table = pyarrow.table({"image": images, "label": [number % 2 for number in range(30)]})
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    metadata = {"label_names": '["cat", "dog"]'} if layout == "binary" else {"huggingface": json.dumps(features)}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "train.parquet")
    dataset = open_dataset(tmp_path)
    assert dataset.medium == "image" and dataset.inspection.labels == {"cat": 15, "dog": 15}


# Arrays


def test_an_npz_with_parts_and_labels_is_read(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 3
    names = {"x_train": images[:50], "y_train": labels[:50], "x_test": images[50:], "y_test": labels[50:]}
    for write_file in (np.savez, np.savez_compressed):
        write_file(tmp_path / "a.npz", **names)
        dataset = open_dataset(tmp_path / "a.npz")
        assert dataset.inspection.splits["held_out"]["documents"] == 10
        found = {int(record.source.rpartition("#")[2]): record for record in dataset.records("held_out")}
        for number, record in found.items():
            assert np.array_equal(record.content[..., 0], images[50 + number]) and record.label == str(
                labels[50 + number]
            )


def test_an_npz_compressed_by_lzma_and_an_npy_are_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.write(tmp_path / "images.npy", "images.npy")
    for name in ("a.npz", "images.npy"):
        assert open_dataset(tmp_path / name).inspection.used == 30
    np.save(tmp_path / "images.npy", np.asfortranarray(images))
    assert next(open_dataset(tmp_path / "images.npy").records("train")).content.shape == (8, 8, 3)


def test_arrays_that_are_no_images_are_refused_with_what_is_there(tmp_path):
    np.savez(tmp_path / "a.npz", weights=np.zeros((3, 4), np.float32))
    with pytest.raises(DataError, match=r"a.npz: no array of images among: weights \[3, 4\] float32"):
        open_dataset(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError):
        open_dataset(tmp_path / "b.npy")


# Captions, labels, licences


def test_a_corpus_laid_out_as_ljspeech_has_its_texts(tmp_path):
    files = {
        f"wavs/LJ-{number}.wav": wave_bytes(tone(200 * number + 200, seconds=1, rate=16_000)) for number in range(6)
    }
    files["metadata.csv"] = "".join(
        f"LJ-{number}|No. {number}, as written|number {number} in words\n" for number in range(5)
    )
    files["metadata.csv"] += "LJ-5|without words|\n"
    data = open_dataset(write(tmp_path, files))
    assert data.medium == "sound" and data.inspection.captions == 6
    records = [record for part in ("train", "inner", "held_out") for record in data.records(part)]
    assert {record.caption for record in records} == {
        "without words",
        *(f"number {number} in words" for number in range(5)),
    }


def test_a_table_with_names_of_columns_is_no_corpus(tmp_path):
    table = "text|label\n" + "".join(f"{' '.join(prose(number).split())}|{number % 2}\n" for number in range(30))
    assert open_dataset(write(tmp_path, {"metadata.csv": table})).medium == "text"


def test_texts_beside_images_are_captions(tmp_path):
    files = {f"{number}.png": png(picture(number)) for number in range(10)}
    files |= {f"{number}.txt": f"picture {number}" for number in range(10)}
    dataset = open_dataset(write(tmp_path / "data", files))
    assert dataset.medium == "image" and dataset.inspection.captions == 10
    assert reasons(dataset) == {"caption of an image, a sound or a video": 10}
    for record in dataset.records("train"):
        assert record.caption == f"picture {record.source.removesuffix('.png')}"
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr("inside/" + name, content)
    dataset = open_dataset(tmp_path / "data.zip")
    assert dataset.inspection.captions == 10 and reasons(dataset) == {"caption of an image, a sound or a video": 10}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_metadata_of_an_image_folder_is_read(tmp_path, form):
    table = [
        {"file_name": f"sub/{number}.png", "text": f"picture {number}", "label": number % 2} for number in range(10)
    ]
    files = {row["file_name"]: png(picture(number)) for number, row in enumerate(table)}
    if form == "jsonl":
        files["metadata.jsonl"] = lines(table)
    else:
        files["metadata.csv"] = "file_name,text,label\n" + "".join(
            ",".join(map(str, row.values())) + "\n" for row in table
        )
    dataset = open_dataset(write(tmp_path, files))
    assert dataset.inspection.captions == 10 and dataset.inspection.labels == {"0": 5, "1": 5}
    assert reasons(dataset) == {"metadata of the images": 1}


def test_names_of_folders_are_labels_but_names_of_parts_and_single_folders_are_not(tmp_path):
    def images(prefix, count, seed):
        return {f"{prefix}/{number}.png": png(picture(seed + number)) for number in range(count)}

    plain = write(tmp_path / "a", images("cats", 5, 0) | images("dogs", 6, 100))
    assert open_dataset(plain).inspection.labels == {"cats": 5, "dogs": 6}
    parts = (
        images("train/cats", 8, 0)
        | images("train/dogs", 8, 100)
        | images("test/cats", 3, 200)
        | images("test/dogs", 3, 300)
    )
    dataset = open_dataset(write(tmp_path / "b", parts))
    assert (
        set(dataset.inspection.labels) == {"cats", "dogs"} and dataset.inspection.splits["held_out"]["documents"] == 6
    )
    assert open_dataset(write(tmp_path / "c", images("photos", 5, 0))).inspection.labels == {}
    only_parts = write(tmp_path / "d", images("train", 9, 0) | images("test", 4, 100))
    assert open_dataset(only_parts).inspection.labels == {}


def test_licences_are_found_where_they_are_stated(tmp_path):
    mit = "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"
    files = {
        "a/LICENSE": mit,
        **{f"a/{n}.py": f"a = {n}\n" * 30 for n in range(10)},
        "b/SOURCE.md": "# Set\n\n## Licence\ncode MIT, pictures CC BY-SA 4.0\n\n## Other\nApache-2.0 elsewhere\n",
        **{f"b/{n}.py": f"b = {n}\n" * 30 for n in range(10)},
        **{f"c/{n}.py": f"# SPDX-License-Identifier: GPL-2.0-only OR MIT\nc = {n}\n" * 30 for n in range(10)},
        **{f"d/{n}.py": f"d = {n}\n" * 30 for n in range(10)},
    }
    inspection = open_dataset(write(tmp_path, files)).inspection
    assert inspection.licences == {
        "MIT": 10,
        "CC-BY-SA-4.0 AND MIT": 10,
        "GPL-2.0-only OR MIT": 10,
        "NOASSERTION": 10,
    }
    assert {row["stated_in"] for row in inspection.licence_statements} == {"a/LICENSE", "b/SOURCE.md"}


def test_a_single_file_takes_the_licence_beside_it(tmp_path):
    write(tmp_path, {"LICENSE": "CC0 1.0 Universal\n", "book.txt": prose(0, 2000)})
    dataset = open_dataset(tmp_path / "book.txt")
    assert dataset.inspection.licences == {"CC0-1.0": 1}


def test_pages_lose_their_tags(tmp_path):
    page = (
        "<!doctype html><html><head><style>p {{}}</style></head><body><p>{}</p><script>alert(1)</script></body></html>"
    )
    dataset = open_dataset(write(tmp_path, {f"{n}.html": page.format(prose(n)) for n in range(25)}))
    assert all("<" not in record.content and "alert" not in record.content for record in dataset.records("train"))


def test_an_archive_is_read_like_the_folder_in_it(tmp_path):
    files = {f"{number:02}.txt": prose(number) for number in range(30)}
    folder = open_dataset(write(tmp_path / "texts", files))
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("__MACOSX/._00.txt", "junk")
    packed = open_dataset(tmp_path / "texts.zip")
    for split in ("train", "inner", "held_out"):
        assert [record.id for record in folder.records(split)] == [record.id for record in packed.records(split)]
    assert next(packed.records("train")).source.startswith("texts.zip!/")
