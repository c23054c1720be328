"""Data sets: found, used and skipped add up; parts never share a document; bad input is named; the same data gives the same records."""

import gzip
import io
import json
import os
import tracemalloc

import numpy as np
import py3langid
import pytest
from PIL import Image

from makar.data.dataset import open_dataset
from makar.errors import ConfigError, DataError, EmptyDataError, UnknownNameError

WORDS = "sea light stone window river morning garden paper winter music bread letter story cloud road".split()  # noqa: SIM905


def prose(seed, count=120):
    generator = np.random.default_rng(seed)
    return " ".join(generator.choice(WORDS, count)) + ".\n"


def picture(seed, size=16, channels=3):
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (4, 4, channels), dtype=np.uint8)
    return np.repeat(np.repeat(small, size // 4, 0), size // 4, 1)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array.squeeze()).save(file, "PNG")
    return file.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def reasons(dataset):
    return {row["reason"]: row["count"] for row in dataset.inspection.skipped}


def all_records(dataset):
    return {split: list(dataset.records(split)) for split in ("train", "inner", "held_out")}


@pytest.fixture
def novels(tmp_path):
    return write(tmp_path / "novels", {f"{number:02}.txt": prose(number) for number in range(40)})


def test_a_folder_of_texts_becomes_three_parts_that_share_nothing(novels):
    found = all_records(open_dataset(novels))
    documents = {split: {record.document for record in records} for split, records in found.items()}
    assert all(documents.values())
    assert sum(map(len, documents.values())) == 40 == len(set().union(*documents.values()))
    for records in found.values():
        for record in records:
            assert record.content == (novels / record.source).read_text()


def test_the_same_data_gives_the_same_records_and_fingerprint(novels):
    first, second = open_dataset(novels), open_dataset(novels)
    assert first.fingerprint == second.fingerprint
    for split in ("train", "inner", "held_out"):
        assert list(first.records(split)) == list(first.records(split)) == list(second.records(split))


def test_the_fingerprint_follows_content_and_options(novels):
    before = open_dataset(novels).fingerprint
    assert open_dataset(novels, held_out_share=0.2).fingerprint != before
    (novels / "03.txt").write_text(prose(99))
    assert open_dataset(novels).fingerprint != before


def test_held_out_share_changes_the_held_out_part(novels):
    sizes = [len(list(open_dataset(novels, held_out_share=share).records("held_out"))) for share in (0.05, 0.4)]
    assert sizes[0] < sizes[1]


def test_a_document_stays_on_its_side_when_others_are_added(novels):
    def held_out(share=0.3):
        return {record.id for record in open_dataset(novels, held_out_share=share).records("held_out")}

    before = held_out()
    write(novels, {f"more{number}.txt": prose(100 + number) for number in range(20)})
    assert before <= held_out()


def test_an_inspection_is_json_and_adds_up(novels):
    write(novels, {"photo.png": png(picture(0)), "empty.txt": "", "sound.txt": b"OggS" + bytes(100)})
    dataset = open_dataset(novels)
    values = json.loads(json.dumps(dataset.inspection.to_dictionary()))
    assert values["medium"] == "text" and values["used"] == values["documents"] == 40
    parts = values["splits"]
    assert sum(parts[split]["documents"] for split in ("train", "inner", "held_out")) == 40
    assert sum(parts[split]["characters"] for split in ("train", "inner", "held_out")) == values["sizes"]["characters"]
    assert reasons(dataset) == {
        "zero bytes": 1,
        "another medium: use --medium image": 1,
        "another medium: use --medium sound": 1,
    }
    assert values["licences"] == {"NOASSERTION": 40}
    assert any("licence" in warning for warning in values["warnings"])


def test_medium_can_be_chosen_and_a_wrong_one_is_named(novels):
    write(novels, {f"{number}.png": png(picture(number)) for number in range(5)})
    assert open_dataset(novels).medium == "text"
    assert open_dataset(novels, medium="image").inspection.used == 5
    with pytest.raises(EmptyDataError, match="holds no code"):
        open_dataset(novels, medium="code")
    with pytest.raises(UnknownNameError, match='"image"'):
        open_dataset(novels, medium="imge")
    with pytest.raises(UnknownNameError):
        next(open_dataset(novels).records("test"))
    with pytest.raises(ConfigError):
        open_dataset(novels, held_out_share=0.0)


def test_progress_is_told(novels):
    told = []
    open_dataset(novels, progress=lambda *what: told.append(what))
    assert ("reading", 40, 40) in told


def test_data_that_changes_while_it_is_read_is_noticed(novels):
    dataset = open_dataset(novels)
    (novels / "zz.txt").write_text(prose(77))
    with pytest.raises(DataError, match="changed"):
        list(dataset.records("train"))


# Bad input


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(EmptyDataError, match="it is empty"):
        open_dataset(tmp_path)


def test_a_missing_place_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        open_dataset(tmp_path / "nothing")


def test_a_folder_without_anything_usable_says_why(tmp_path):
    write(tmp_path, {"a.txt": b"\x00\x01\x02" * 500, "b.txt": ""})
    with pytest.raises(EmptyDataError, match=r"binary, not text.*zero bytes"):
        open_dataset(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser reads everything")
def test_an_unreadable_file_is_skipped(novels):
    (novels / "03.txt").chmod(0)
    assert any("cannot be read" in reason for reason in reasons(open_dataset(novels)))


def test_an_unreadable_place_is_skipped_for_every_user(novels):
    (novels / "lost.txt").symlink_to(novels / "nowhere")
    (novels / "loop").symlink_to(novels)
    os.mkfifo(novels / "pipe.txt")
    assert reasons(open_dataset(novels)) == {"neither a file nor a folder": 2, "link to a folder": 1}


def test_damaged_images_are_skipped_each_with_its_reason(tmp_path):
    from tests.data.test_image_reader import png_header

    whole = png(picture(100, 64))
    write(
        tmp_path,
        {
            **{f"{number}.png": png(picture(number)) for number in range(30)},
            "truncated.png": whole[: len(whole) // 2],
            "zero.png": b"",
            "huge.png": png_header(20_000, 10_000),
            "text.png": "not a picture at all",
            "noise.jpg": b"\x00\x07\x13" * 200,
        },
    )
    dataset = open_dataset(tmp_path)
    assert dataset.inspection.used == 30
    assert reasons(dataset) == {
        "truncated or damaged image": 1,
        "zero bytes": 1,
        "200 megapixels, more than the limit of 64": 1,
        "called .png but holds text": 1,
        "called .jpg but not an image that can be read": 1,
    }
    assert sum(len(records) for records in all_records(dataset).values()) == 30


def test_an_image_under_a_wrong_name_is_recognised(tmp_path):
    files = {f"{number}.png": png(picture(number)) for number in range(5)}
    write(tmp_path, {**files, "a.jpg": png(picture(50)), "b.txt": png(picture(51)), "c": png(picture(52))})
    assert open_dataset(tmp_path).inspection.used == 8


def test_text_in_another_encoding_is_read_and_said(novels):
    text = "Où est le garçon ? L'été dernier, nous étions à la plage.\n" * 30
    write(novels, {"latin.txt": text.encode("latin-1"), "wide.txt": (text + "!").encode("utf-16")})
    dataset = open_dataset(novels, held_out_share=0.05)
    contents = {record.source: record.content for records in all_records(dataset).values() for record in records}
    contents |= {}
    assert contents.get("latin.txt", contents.get("wide.txt", "")).startswith("Où est le garçon")
    assert "latin.txt: read as cp1252" in dataset.inspection.warnings


@pytest.mark.parametrize("megabytes", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_one_huge_line_is_used_in_little_memory(tmp_path, megabytes):
    with (tmp_path / "line.txt").open("wb") as file:
        for number in range(megabytes):
            file.write((f"word{number} " * (1 << 18))[: 1 << 20].encode())
    # The model of languages is loaded once a process and is no part of what the length of a line costs.
    py3langid.classify("a first sentence")
    tracemalloc.start()
    dataset = open_dataset(tmp_path)
    lengths = [len(record.content) for record in dataset.records("train")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(lengths) <= 1_000_000 and sum(lengths) > 0.9 * (megabytes << 20)
    assert peak < 64 << 20


def test_a_csv_without_text_is_refused_with_its_columns(tmp_path):
    write(tmp_path, {"prices.csv": "id,price,date\n" + "".join(f"{n},{n * 3}.5,2024-01-0{n}\n" for n in range(1, 9))})
    for place in (tmp_path, tmp_path / "prices.csv"):
        with pytest.raises(
            DataError, match=r"prices\.csv: a table without a text column; its columns are: id, price, date"
        ):
            open_dataset(place)
    write(tmp_path, {"prices.csv": "id,price,text\n" + "".join(f"{n},{n}.5,{prose(n).strip()}\n" for n in range(30))})
    assert open_dataset(tmp_path).inspection.used == 30


def test_three_texts_are_cut(tmp_path):
    write(tmp_path / "texts", {f"{n}.txt": "".join(prose(50 * n + k, 30) for k in range(40)) for n in range(3)})
    dataset = open_dataset(tmp_path / "texts")
    assert dataset.inspection.splits["origin"].startswith("the end of each document")
    found = all_records(dataset)
    for number in range(3):
        text = (tmp_path / "texts" / f"{number}.txt").read_text()
        train, inner, held_out = (
            next(record.content for record in found[split] if record.source == f"{number}.txt")
            for split in ("train", "inner", "held_out")
        )
        # The inner part lies within what is learned from, so what is learned goes up to what is held out.
        before, after = text.split(inner)
        assert train + held_out == before + after
        assert text.endswith(held_out) and before and len(after) > len(held_out)


def test_the_inner_part_of_a_long_text_is_spread_over_what_is_learned_from(tmp_path):
    text = "".join(f"{line:06d} {prose(line, 12)}" for line in range(4000))
    write(tmp_path, {"long.txt": text})
    dataset = open_dataset(tmp_path)
    parts = {
        split: "".join(record.content for record in dataset.records(split)) for split in ("train", "inner", "held_out")
    }
    lines = {
        split: [int(line[:6]) for line in part.splitlines() if line[:6].isdigit()] for split, part in parts.items()
    }
    assert sorted(line for some in lines.values() for line in some) == list(range(4000))
    assert lines["held_out"] == list(range(min(lines["held_out"]), 4000))
    stretches = [after for before, after in zip(lines["inner"], lines["inner"][1:]) if after > before + 1]
    assert len(stretches) >= 3
    assert max(lines["train"]) == min(lines["held_out"]) - 1
    splits = dataset.inspection.splits
    for split, part in parts.items():
        assert abs(splits[split]["characters"] - len(part)) < 0.1 * len(text) / 20 + 400


def test_three_images_are_shared_out(tmp_path):
    write(tmp_path / "images", {f"{n}.png": png(picture(n)) for n in range(3)})
    assert [len(records) for records in all_records(open_dataset(tmp_path / "images")).values()] == [1, 1, 1]


def test_too_little_says_what_is_missing(tmp_path):
    write(tmp_path / "images", {f"{n}.png": png(picture(n)) for n in range(2)})
    with pytest.raises(DataError, match="only 2 usable images"):
        open_dataset(tmp_path / "images")
    write(tmp_path / "texts", {"a.txt": "Hello."})
    with pytest.raises(DataError, match="only 6 usable characters"):
        open_dataset(tmp_path / "texts")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.txt": "", "b.txt": b"OggS" + bytes(100)},
        {"a.txt": "Hello.", "b.txt": ""},
        {"a.txt": " \n"},
        {"a.png": png(picture(0)), "b.png": png(picture(1)), "c.png": png(picture(2))[:60]},
        {"a.png": png(picture(2))[:60]},
    ],
)
def test_data_that_cannot_be_inspected_says_what_was_left_out_and_does_not_advise_inspecting_it(tmp_path, files):
    with pytest.raises(DataError) as refused:
        open_dataset(write(tmp_path, files))
    assert "inspect" not in str(refused.value)
    assert refused.value.do
    if any(len(content) < 100 for name, content in files.items() if name != "a.txt"):
        assert any(word in refused.value.came for word in ("zero bytes", "damaged"))


def test_a_damaged_compressed_file_is_skipped(novels):
    content = gzip.compress(os.urandom(50_000).hex().encode())
    (novels / "cut.txt.gz").write_bytes(content[: len(content) // 2])
    assert any("damaged" in reason for reason in reasons(open_dataset(novels)))


# Copies


def test_exact_copies_are_used_once_and_near_copies_leave_the_held_out_part(tmp_path):
    texts = {f"train/{number}.txt": prose(number, 300) for number in range(30)}
    texts |= {f"test/{number}.txt": prose(500 + number, 300) for number in range(10)}
    texts["train/again.txt"] = "  " + prose(3, 300).replace(" ", "\n")
    texts["test/leak.txt"] = prose(4, 300)
    texts["test/near.txt"] = prose(5, 300).replace("river", "ocean", 1)
    dataset = open_dataset(write(tmp_path, texts))
    duplicates = dataset.inspection.duplicates
    assert duplicates["exact"] == 2 and duplicates["exact_across_split"] == 1
    assert duplicates["near"] == 1 and duplicates["near_across_split"] == 1
    held_out = {record.source for record in dataset.records("held_out")}
    assert held_out == {f"test/{number}.txt" for number in range(10)}


def test_copies_count_neither_in_characters_nor_in_bytes(tmp_path):
    texts = {f"{number}.txt": "größe " + prose(number) for number in range(30)}
    expected = {
        "characters": sum(map(len, texts.values())),
        "bytes": sum(len(text.encode()) for text in texts.values()),
    }
    write(tmp_path / "once", texts)
    write(tmp_path / "often", texts | {f"copy{number}.txt": "größe " + prose(3) for number in range(40)})
    for folder in ("once", "often"):
        sizes = open_dataset(tmp_path / folder).inspection.sizes
        assert {key: sizes[key] for key in expected} == expected
    pictures = {f"{number}.png": png(picture(number)) for number in range(8)}
    write(tmp_path / "pictures", pictures | {f"copy{number}.png": png(picture(3)) for number in range(20)})
    assert open_dataset(tmp_path / "pictures").inspection.sizes["bytes"] == 8 * 16 * 16 * 3


def test_images_that_look_alike_are_found_and_others_are_not(tmp_path):
    files = {f"train/{number}.png": png(picture(number, 32)) for number in range(40)}
    files |= {f"test/{number}.png": png(picture(500 + number, 32)) for number in range(10)}
    file = io.BytesIO()
    Image.fromarray(picture(7, 32)).resize((64, 64)).save(file, "JPEG", quality=90)
    files["test/near.jpg"] = file.getvalue()
    file = io.BytesIO()
    Image.fromarray(picture(8, 32)).save(file, "BMP")
    files["test/same.bmp"] = file.getvalue()
    dataset = open_dataset(write(tmp_path, files))
    assert dataset.inspection.duplicates["exact_across_split"] == 1
    assert dataset.inspection.duplicates["near_across_split"] == 1 == dataset.inspection.duplicates["near"]
    assert dataset.inspection.splits["held_out"]["documents"] == 10


# Python objects


def test_arrays_and_lists_are_data_sets():
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    dataset = open_dataset(images)
    assert dataset.medium == "image" and dataset.inspection.used == 50
    assert next(dataset.records("train")).content.shape == (8, 8, 1)
    texts = open_dataset([prose(number) for number in range(50)])
    assert texts.medium == "text" and texts.inspection.used == 50


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 8, 8), np.float32), np.zeros((4, 8), np.uint8), np.zeros((4, 8, 8, 2), np.uint8), [], ["a", 3]],
)
def test_other_arrays_and_lists_are_refused(wrong):
    with pytest.raises(DataError):
        open_dataset(wrong)
