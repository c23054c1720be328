"""Data that nobody has touched is not examined twice; whatever is touched is."""

import os
import shutil
import time

import numpy as np
import pytest

from makar.data import dataset as module
from makar.data import fingerprint as fingerprints
from makar.data import kept
from makar.data.dataset import open_dataset
from makar.data.fingerprint import fingerprint_of
from makar.data.listing import SETTLED_SECONDS, listing
from makar.errors import DataError, UnknownNameError
from makar.home import home
from tests.data.test_dataset import all_records, picture, png, prose, write


@pytest.fixture
def settled(monkeypatch):
    """Files count as untouched at once: the time of change of a file cannot be set back."""
    monkeypatch.setattr("makar.data.listing.SETTLED_SECONDS", -60.0)


@pytest.fixture
def examined(monkeypatch):
    """Count the examinations."""
    calls = []
    real = module.examine

    def counted(source, **options):
        calls.append(source.name)
        return real(source, **options)

    monkeypatch.setattr(module, "examine", counted)
    return calls


@pytest.fixture
def mixed(tmp_path):
    folder = write(tmp_path / "mixed", {f"{number:02}.txt": prose(number) for number in range(30)})
    write(folder, {"copy.txt": prose(3), "empty.txt": " \n", "latin.txt": (prose(70) + " Größe").encode("latin-1")})
    return write(folder, {f"class{number % 2}/{number}.png": png(picture(number)) for number in range(8)})


def same(first, second):
    assert first.fingerprint == second.fingerprint
    assert first.inspection.to_dictionary() == second.inspection.to_dictionary()
    assert [str(record) for record in all_records(first)["train"]] == [
        str(record) for record in all_records(second)["train"]
    ]


@pytest.mark.parametrize("medium", ["text", "image"])
def test_untouched_data_is_examined_once_and_the_result_is_the_same(settled, examined, mixed, medium):
    first = open_dataset(mixed, medium=medium)
    second = open_dataset(mixed, medium=medium)
    assert len(examined) == 1
    same(first, second)


def test_the_medium_the_bulk_decides_and_the_same_one_asked_for_share_an_examination(settled, examined, mixed):
    first = open_dataset(mixed)
    same(first, open_dataset(mixed, medium=first.medium))
    assert len(examined) == 1
    open_dataset(mixed, medium="image")
    assert len(examined) == 2


def test_another_share_held_out_needs_no_new_examination(settled, examined, mixed):
    first, second = open_dataset(mixed), open_dataset(mixed, held_out_share=0.4)
    assert len(examined) == 1
    assert first.fingerprint != second.fingerprint


def test_whatever_is_touched_is_examined_again(settled, examined, mixed):
    def again():
        before = len(examined)
        open_dataset(mixed)
        return len(examined) - before

    assert again() == 1 and again() == 0
    path = mixed / "07.txt"
    stat = path.stat()
    path.write_text(prose(7)[::-1][: stat.st_size])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same time of writing
    assert path.stat().st_size == stat.st_size
    assert again() == 1 and again() == 0
    (mixed / "new.txt").write_text(prose(200))
    assert again() == 1
    (mixed / "new.txt").rename(mixed / "newer.txt")
    assert again() == 1
    (mixed / ".hidden").write_text("x")
    assert again() == 1
    (mixed / "newer.txt").unlink()
    assert again() == 1 and again() == 0


def test_data_touched_a_moment_ago_is_not_remembered(examined, mixed):
    assert listing(mixed) is None
    open_dataset(mixed)
    open_dataset(mixed)
    assert len(examined) == 2
    assert not (home() / "inspections").exists()
    assert SETTLED_SECONDS > 2


def test_a_licence_beside_a_single_file_is_seen_when_it_changes(settled, examined, tmp_path):
    path = write(tmp_path, {"book.txt": "\n".join(prose(number) for number in range(60))}) / "book.txt"
    assert open_dataset(path).inspection.licences == {"NOASSERTION": 1}
    (tmp_path / "LICENSE").write_text("MIT License\n\nPermission is hereby granted, free of charge, to any person")
    assert open_dataset(path).inspection.licences == {"MIT": 1}


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", None])
def test_a_damaged_or_half_written_entry_is_made_again(settled, examined, mixed, damage):
    first = open_dataset(mixed)
    for path in (home() / "inspections").iterdir():
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage is None else damage)
    same(first, open_dataset(mixed))
    assert len(examined) == 2
    same(first, open_dataset(mixed))
    assert len(examined) == 2
    assert not [path for path in (home() / "inspections").iterdir() if path.name.startswith(".")]


def test_a_home_that_cannot_be_written_costs_only_the_time(settled, examined, mixed, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "file"))
    same(open_dataset(mixed), open_dataset(mixed))
    assert len(examined) == 2


def test_entries_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(kept, "MOST_ENTRIES", 5)
    for number in range(9):
        kept.save_fingerprint(kept.key_of(number), f"{number:064x}")
        time.sleep(0.01)
    assert kept.load_fingerprint(kept.key_of(8)) == f"{8:064x}"
    assert kept.load_fingerprint(kept.key_of(0)) is None
    assert len(list((home() / "inspections").iterdir())) == 5


@pytest.mark.parametrize("medium", ["text", "image"])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_fingerprint_alone_is_that_of_the_data_set(mixed, medium, share, monkeypatch):
    expected = open_dataset(mixed, medium=medium, held_out_share=share).fingerprint

    def never(*arguments, **options):
        raise AssertionError("decoded")

    monkeypatch.setattr("makar.data.files_source.read_image", never)
    monkeypatch.setattr("makar.data.files_source.decoded", never)
    monkeypatch.setattr("makar.data.files_source.take_inventory", never)
    assert fingerprint_of(str(mixed), medium=medium, held_out_share=share) == expected
    assert fingerprint_of(str(mixed), medium="code", held_out_share=share) != expected


def test_the_fingerprint_of_a_built_in_set_needs_no_examination(examined):
    expected = open_dataset("builtin:digits").fingerprint
    examined.clear()
    assert fingerprint_of("builtin:digits", medium="image") == expected
    assert not examined


def test_a_file_is_hashed_once_a_process_until_it_is_touched(settled, mixed, monkeypatch):
    calls = []
    real = fingerprints.hashlib.file_digest

    def counted(stream, name):
        calls.append(stream.name)
        return real(stream, name)

    monkeypatch.setattr(fingerprints.hashlib, "file_digest", counted)
    first = fingerprint_of(str(mixed), medium="text")
    assert len(calls) == 41
    assert fingerprint_of(str(mixed), medium="text") == first
    assert len(calls) == 41
    shutil.rmtree(home() / "inspections")
    (mixed / "07.txt").write_text("changed")
    assert fingerprint_of(str(mixed), medium="text") != first
    assert len(calls) == 42


def test_a_fingerprint_of_nothing_or_of_no_medium_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        fingerprint_of(str(tmp_path / "nothing"), medium="text")
    with pytest.raises(DataError, match="medium"):
        fingerprint_of(str(tmp_path), medium="unknown")
    with pytest.raises(UnknownNameError):
        fingerprint_of("builtin:nothing", medium="text")


def test_arrays_are_kept_without_objects(settled, mixed):
    open_dataset(mixed)
    (entry,) = (home() / "inspections").glob("*.npz")
    with np.load(entry, allow_pickle=False) as file:
        assert set(file) == {*kept.ARRAYS, "rest"}
