"""Samples for a training set: spread over its classes, in its layout, without copies, and never into the data."""

import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_tiny_image

from makar.data.dataset import open_dataset
from makar.errors import CopyRefusedError, UnknownNameError, UnsupportedError, UsageError
from makar.generation.augmentation import METADATA, AugmentRequest, augment, read_labels, spread_over
from makar.generation.guards import MOST_ATTEMPTS
from makar.provenance.chain import verify


@dataclasses.dataclass
class Finding:
    is_copy: bool

    def to_dictionary(self):
        return {"is_copy": self.is_copy, "value": 1.0}


class Check:
    """Calls every first draw a copy, or every draw, or none."""

    def __init__(self, copies=0):
        self.copies, self.seen = copies, 0

    def check(self, content):
        self.seen += 1
        return Finding(self.seen <= self.copies)


def folders(place, counts):
    draw = np.random.default_rng(0)
    for label, count in counts.items():
        (place / label).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(draw.integers(0, 256, (8, 8, 3), np.uint8)).save(place / label / f"{number}.png")
    return place


@pytest.fixture
def data(tmp_path):
    return open_dataset(folders(tmp_path / "data", {"cat": 9, "fox": 3}))


def made(artifact, data, folder, count, *, novelty=None, root=None, **settings):
    asked = AugmentRequest(count=count, folder=folder, root=root, **settings)
    return list(augment(artifact, data, asked, novelty=Check() if novelty is None else novelty))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_the_smaller_class_is_filled_up_first():
    counts = {"cat": 9, "fox": 3, "owl": 8}
    assert spread_over(counts, 5, spread="balance") == {"cat": 0, "fox": 5, "owl": 0}
    assert spread_over(counts, 13, spread="balance") == {"cat": 2, "fox": 8, "owl": 3}
    assert spread_over(counts, 6, spread="even") == {"cat": 2, "fox": 2, "owl": 2}
    smaller, larger = (spread_over(counts, total, spread="balance") for total in (9, 10))
    assert all(larger[label] >= smaller[label] for label in counts) and sum(larger.values()) == 10


def test_class_folders_become_class_folders_with_signed_files(image_artifact, data, tmp_path):
    counts, in_folders = read_labels(data)
    assert in_folders and counts["cat"] > counts["fox"]
    pairs = made(image_artifact, data, tmp_path / "new", 5)
    assert files(tmp_path / "new") == [f"fox/{number:06d}.png" for number in range(5)]
    assert {asset.manifest["prompt"] for asset, _ in pairs} == {"fox"}
    assert all(verify(file).is_intact and asset.manifest["guards"] == ["copies"] for asset, file in pairs)
    found = open_dataset(folders(tmp_path / "other", {"cat": 3}).parent / "new", medium="image")
    assert found.inspection.used == 5


def test_evenly_every_class_gets_the_same(image_artifact, data, tmp_path):
    made(image_artifact, data, tmp_path / "new", 4, spread="even")
    assert {file.split("/")[0]: file for file in files(tmp_path / "new")}.keys() == {"cat", "fox"}


def test_a_table_of_labels_becomes_a_table_of_labels(image_artifact, tmp_path):
    place = folders(tmp_path / "data", {"a": 6})
    rows = [["file_name", "label"], *([f"a/{number}.png", "fox" if number % 2 else "cat"] for number in range(6))]
    with (place / METADATA).open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    made(image_artifact, open_dataset(place), tmp_path / "new", 6)
    with (tmp_path / "new" / METADATA).open(newline="") as stream:
        found = {row["file_name"]: row["label"] for row in csv.DictReader(stream)}
    assert sorted(found) == files(tmp_path / "new") and set(found.values()) == {"cat", "fox"}
    again = open_dataset(tmp_path / "new", medium="image")
    assert {record.label for record in again.records("train")} == {"cat", "fox"}


def test_a_call_that_was_killed_goes_on_and_a_larger_one_adds(image_artifact, data, tmp_path):
    asked = AugmentRequest(count=6, folder=tmp_path / "new")
    killed = augment(image_artifact, data, asked, novelty=Check())
    for _ in range(2):
        next(killed)
    killed.close()
    before = {file: (tmp_path / "new" / file).read_bytes() for file in files(tmp_path / "new")}
    assert len(before) == 2
    assert len(made(image_artifact, data, tmp_path / "new", 6)) == 4
    assert made(image_artifact, data, tmp_path / "new", 6) == []
    assert len(made(image_artifact, data, tmp_path / "new", 8)) == 2
    assert all((tmp_path / "new" / file).read_bytes() == content for file, content in before.items())
    whole = made(image_artifact, data, tmp_path / "whole", 8)
    kept = [np.asarray(Image.open(tmp_path / "new" / file.relative_to(tmp_path / "whole"))) for _, file in whole]
    assert all(np.array_equal(asset.content, pixels) for (asset, _), pixels in zip(whole, kept))


def test_samples_of_another_make_are_not_mixed_in(image_artifact, data, tmp_path):
    made(image_artifact, data, tmp_path / "new", 2)
    with pytest.raises(UsageError, match="made otherwise"):
        made(image_artifact, data, tmp_path / "new", 3, seed=1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        made(image_artifact, data, tmp_path / "full", 2)


def test_copies_are_drawn_again_and_too_many_end_it(image_artifact, data, tmp_path):
    (asset, _), *_ = made(image_artifact, data, tmp_path / "new", 1, novelty=Check(copies=1))
    assert asset.manifest["attempt"] == 1
    with pytest.raises(CopyRefusedError):
        made(image_artifact, data, tmp_path / "more", 1, novelty=Check(copies=99))
    assert not files(tmp_path / "more")
    with pytest.raises(UnsupportedError, match="not indexed"):
        list(augment(image_artifact, data, AugmentRequest(count=1, folder=tmp_path / "none")))


def test_a_seed_that_gives_only_copies_is_made_up_for_by_the_next(image_artifact, data, tmp_path):
    results = made(image_artifact, data, tmp_path / "new", 1, novelty=Check(copies=MOST_ATTEMPTS))
    assert [path.name for _, path in results] == ["000001.png"]
    # What is there counts, whatever its number; the seed that gave nothing is asked once more.
    assert [path.name for _, path in made(image_artifact, data, tmp_path / "new", 2)] == ["000000.png"]
    assert files(tmp_path / "new") == ["fox/000000.png", "fox/000001.png"]
    with pytest.raises(CopyRefusedError, match=r"fox \(0 of 1\).*copies"):
        made(image_artifact, data, tmp_path / "none", 1, novelty=Check(copies=99))


@pytest.mark.parametrize("place", ["data", "data/new", "."])
def test_nothing_is_written_into_the_data(image_artifact, data, tmp_path, place):
    before = sorted((tmp_path / "data").rglob("*"))
    with pytest.raises(UsageError, match="in the data"):
        made(image_artifact, data, tmp_path / place, 2, root=tmp_path / "data")
    assert sorted((tmp_path / "data").rglob("*")) == before


def test_classes_that_the_model_does_not_know_and_data_without_labels_are_refused(image_artifact, own_home, tmp_path):
    strange = open_dataset(folders(tmp_path / "strange", {"cat": 3, "walrus": 3}))
    with pytest.raises(UnknownNameError, match="walrus"):
        made(image_artifact, strange, tmp_path / "new", 2)
    plain = open_dataset(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8), medium="image")
    with pytest.raises(UsageError, match="no labels"):
        made(image_artifact, plain, tmp_path / "new", 2)
    with pytest.raises(UnknownNameError, match="spread"):
        made(image_artifact, strange, tmp_path / "new", 2, spread="evn")
    with pytest.raises(UsageError, match="drawings"):
        list(
            augment(
                save_tiny_image(own_home / "models" / "m"),
                strange,
                AugmentRequest(count=1, folder=tmp_path / "n"),
                options={"svg": True},
                novelty=Check(),
            )
        )
