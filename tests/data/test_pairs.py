"""Pairs of images: found by folder, by table and by the layout of unpaired translation, kept together, and told what is not one."""

import io

import numpy as np
import pytest
from PIL import Image

from makar.data.dataset import open_dataset
from makar.data.fingerprint import HELD_OUT_SHARE
from makar.data.split_names import official_splits, split_and_domain
from makar.data.splitting import HELD_OUT, INNER, TRAIN, decide
from tests.cli.small_models import write_images

SPLITS = ("train", "inner", "held_out")


def picture(number, *, size=(12, 16), flip=False):
    """Return a picture that knows its number: the first pixel says it."""
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    pixels[0, 0] = number
    return 255 - pixels if flip else pixels


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pair_folders(folder, *, first="line", second="colour", count=30, start=0):
    for number in range(start, start + count):
        write(folder / first / f"{number:03}.png", picture(number, flip=True))
        write(folder / second / f"{number:03}.png", picture(number))
    return folder


def everything(dataset):
    return {split: list(dataset.records(split)) for split in SPLITS}


def check_pairs(dataset, *, flip=True):
    """Check that every pair is one, and that both of its images are in the same part; return the number of pairs."""
    found, parts = 0, {}
    for split, records in everything(dataset).items():
        for record in records:
            parts.setdefault(record.document.rpartition("/")[2], set()).add(split)
            if record.pair is not None:
                found += 1
                assert np.array_equal(record.pair, 255 - record.content if flip else record.content)
    assert all(len(splits) == 1 for splits in parts.values())
    return found


def test_files_of_the_same_name_in_two_folders_are_pairs_and_never_apart(tmp_path):
    # The later folder by name holds what is to be made.
    dataset = open_dataset(pair_folders(tmp_path / "d"))
    assert check_pairs(dataset) == 30 and dataset.inspection.used == 60
    assert dataset.inspection.pairs == {
        "count": 30,
        "train": sum(record.pair is not None for record in dataset.records("train")),
        "from": "colour",
        "to": "line",
        "alone": 0,
        "examples": [],
    }
    assert set(dataset.inspection.labels) == {"line", "colour"}
    assert all((record.pair is not None) == (record.label == "line") for record in dataset.records("train"))


def test_suffixes_may_differ_and_what_is_known_is_read_again(tmp_path):
    pair_folders(tmp_path / "d", first="A", second="B", count=8)
    write(tmp_path / "d/A/007.bmp", picture(7, flip=True))
    (tmp_path / "d/A/007.png").unlink()
    (tmp_path / "d/A/006.txt").write_text("a caption")
    first, again = open_dataset(tmp_path / "d"), open_dataset(tmp_path / "d")
    assert check_pairs(first) == check_pairs(again) == 8
    assert first.inspection == again.inspection


def test_folders_that_name_split_and_domain_are_read_as_both(tmp_path):
    for split, count, start in (("train", 12, 0), ("test", 4, 100)):
        pair_folders(tmp_path / "d", first=f"{split}A", second=f"{split}B", count=count, start=start)
    dataset = open_dataset(tmp_path / "d")
    assert set(dataset.inspection.labels) == {"A", "B"} and dataset.inspection.splits["origin"] == "official test part"
    held_out = list(dataset.records("held_out"))
    assert {record.document.split("/")[0] for record in held_out} <= {"testA", "testB"}
    assert sum(record.pair is not None for record in dataset.records("train")) >= 10


@pytest.mark.parametrize("layout", ["{domain}/{split}/{name}", "{split}/{domain}/{name}"])
def test_split_and_domain_come_in_any_order(tmp_path, layout):
    for split in ("train", "test"):
        for number in range(10):
            place = layout.format(split=split, domain="{}", name=f"{number}.png")
            write(tmp_path / "d" / place.format("A"), picture(number + 100 * (split == "test"), flip=True))
            write(tmp_path / "d" / place.format("B"), picture(number + 100 * (split == "test")))
    dataset = open_dataset(tmp_path / "d")
    assert sum(record.pair is not None for split in SPLITS for record in dataset.records(split)) == 20
    assert all("test" in record.document for record in dataset.records("held_out"))


def test_only_a_and_b_follow_a_split_word():
    assert split_and_domain("trainA") == ("train", "A") and split_and_domain("testB") == ("test", "B")
    assert split_and_domain("tests") == ("", "tests") and split_and_domain("trains") == ("", "trains")
    assert split_and_domain("A") == ("", "A") and split_and_domain("") == ("", "")
    assert official_splits([("trainA/*", "image")]) == {}


def test_two_columns_of_images_are_pairs(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = {
        "photo": [encoded(picture(number)) for number in range(20)],
        "map": [encoded(picture(number, flip=True)) for number in range(19)] + [None],
    }
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "t.parquet")
    dataset = open_dataset(tmp_path / "t.parquet")
    assert check_pairs(dataset) == 19
    assert dataset.inspection.pairs["from"] == "map" and dataset.inspection.pairs["alone"] == 1
    assert any('the other image of the pair from "map"' in note for note in dataset.inspection.notes)


def test_three_columns_of_images_are_no_pairs(tmp_path):
    import pyarrow
    import pyarrow.parquet

    cells = [encoded(picture(number)) for number in range(8)]
    pyarrow.parquet.write_table(pyarrow.table({"image": cells, "left": cells, "right": cells}), tmp_path / "t.parquet")
    assert open_dataset(tmp_path / "t.parquet").inspection.pairs == {}


def test_folders_of_different_sizes_say_what_has_no_partner(tmp_path):
    pair_folders(tmp_path / "d", count=10)
    for number in range(10, 13):
        write(tmp_path / f"d/line/{number:03}.png", picture(number, flip=True))
    found = open_dataset(tmp_path / "d").inspection.pairs
    assert found["count"] == 10 and found["alone"] == 3 and found["examples"][0] == "line/010.png"


def test_names_that_nowhere_agree_are_no_pairs_but_still_two_classes(tmp_path):
    pair_folders(tmp_path / "d", count=10)
    for path in (tmp_path / "d/line").iterdir():
        path.rename(path.with_name(f"line-{path.name}"))
    found = open_dataset(tmp_path / "d").inspection
    assert found.pairs["count"] == 0 and found.pairs["alone"] == 20 and len(found.labels) == 2


def test_a_partner_that_is_damaged_or_of_another_shape_is_none_and_its_image_is_kept(tmp_path):
    pair_folders(tmp_path / "d", first="A", second="B", count=12)
    (tmp_path / "d/A/003.png").write_bytes((tmp_path / "d/A/003.png").read_bytes()[:60])
    write(tmp_path / "d/A/004.png", picture(4, size=(16, 12), flip=True))
    write(tmp_path / "d/A/005.png", picture(5, size=(24, 32), flip=True))
    dataset = open_dataset(tmp_path / "d")
    records = [record for records in everything(dataset).values() for record in records]
    assert {record.document for record in records} >= {"B/003.png", "B/004.png", "B/005.png", "A/004.png"}
    assert {record.document for record in records if record.pair is not None} == {
        f"B/{number:03}.png" for number in range(12) if number not in (3, 4)
    }
    reasons = [row["reason"] for row in dataset.inspection.skipped]
    assert "not used as a pair: the two images have different shapes" in reasons
    assert any(reason.startswith("not used as a pair: the other image is no use") for reason in reasons)


def test_archives_have_classes_and_no_pairs(tmp_path):
    import zipfile

    folder = pair_folders(tmp_path / "d", count=6)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    found = open_dataset(tmp_path / "d.zip").inspection
    assert found.pairs["count"] == 0 and len(found.labels) == 2


def test_classes_whose_files_are_only_numbered_stay_classes(tmp_path):
    dataset = open_dataset(write_images(tmp_path / "d"))
    assert dataset.inspection.labels == {"cat": 12, "fox": 12} and dataset.inspection.used == 24


def test_a_group_is_never_divided_whatever_is_held_out_or_near():
    count = 400
    draw = np.random.default_rng(1)
    groups = np.repeat(np.arange(1, count // 2 + 1, dtype=np.uint64) << np.uint64(40), 2)
    digests = draw.integers(1, 1 << 62, count).astype(np.uint64)
    near = np.stack([draw.integers(0, count // 2, 40), draw.integers(count // 2, count, 40)], axis=1)
    decision = decide(
        np.zeros(count, np.uint8),
        digests=digests,
        sizes=np.ones(count, np.uint32),
        officials=np.zeros(count, np.uint8),
        pairs=near,
        groups=groups,
        medium="image",
        held_out_share=HELD_OUT_SHARE,
    )
    first, second = decision.codes[::2], decision.codes[1::2]
    assert np.array_equal(first, second)
    assert {TRAIN, INNER, HELD_OUT} <= set(decision.codes.tolist())


def test_the_two_images_of_a_pair_are_not_near_copies_of_each_other(tmp_path):
    for number in range(12):
        pixels = np.repeat(
            np.repeat(np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8), 8, 0), 8, 1
        )
        write(tmp_path / f"d/A/{number}.png", pixels)
        write(tmp_path / f"d/B/{number}.png", pixels | 1)
    dataset = open_dataset(tmp_path / "d")
    assert dataset.inspection.duplicates["near"] == 0 and dataset.inspection.pairs["count"] == 12
