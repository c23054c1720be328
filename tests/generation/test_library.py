"""The library keeps what was made, lists it quickly, forgets the oldest, and says what is wrong with itself."""

import asyncio
import sqlite3

import pytest

from makar.errors import MakarError
from makar.generation import library as library_module
from makar.generation.library import Entry, Library, Wanted
from makar.serving.keeping import Keeping, keep_file


def entry(number, *, model="painter", medium="image", prompt="a fox", seconds=2.0, work=10, text=None, engine=None):
    """Return something to keep."""
    manifest = {
        "id": f"{number:032x}",
        "artifact": {"hash": f"hash of {model}", "name": model},
        "medium": medium,
        "seed": number,
        "run": {"id": "run-1"},
        "novelty": {"score": 0.5, "is_copy": False},
        "continues_characters": 4 if text else 0,
    }
    manifest |= {"computing": {"engine": engine}} if engine else {}
    content, kind = (text.encode(), "text/plain; charset=utf-8") if text else (bytes([number % 256]) * 8, "image/png")
    return Entry(
        signed={"manifest": manifest, "signature": {}},
        model=model,
        kind="create",
        prompt=prompt,
        content=content,
        type=kind,
        seconds=seconds,
        work=work,
    )


@pytest.fixture
def library(tmp_path):
    """Return an empty library."""
    return Library(tmp_path / "deep" / "library.sqlite", most=5)


def test_what_is_kept_comes_back_the_newest_first(library):
    assert library.newest(Wanted()) == [] and library.facets()["model"] == []
    for number in range(3):
        library.keep(entry(number))
    library.keep(entry(1))
    found = library.newest(Wanted())
    assert [one["seed"] for one in found] == [2, 1, 0]
    assert found[0]["run"] == "run-1" and found[0]["novelty"] == 0.5 and found[0]["is_copy"] == 0
    assert library.content(found[0]["id"]) == (bytes([2]) * 8, "image/png")
    assert library.get(found[0]["id"])["manifest"]["manifest"]["seed"] == 2


def test_filters_leave_out_what_does_not_fit(library):
    library.keep(entry(1, prompt="50% off"))
    library.keep(entry(2, model="writer", medium="text", prompt="Once", text="Onceupon a time_"))
    seeds = lambda **wanted: [one["seed"] for one in library.newest(Wanted(**wanted))]  # noqa: E731
    assert seeds(model="writer") == seeds(medium="text") == [2]
    assert seeds(text="%") == [1] and seeds(text="_") == [2] and seeds(text="UPON") == [2]
    assert seeds(run="another") == [] and seeds(kind="create") == [2, 1]
    assert seeds(before=f"{2:032x}") == [1] and seeds(limit=1) == [2]
    assert library.newest(Wanted(medium="text"))[0]["text"] == "upon a time_", "the prompt is not shown twice"
    assert library.facets()["medium"] == ["image", "text"]


def test_the_oldest_give_way(library, monkeypatch):
    monkeypatch.setattr(library_module, "LOOKS_EVERY", 1)
    for number in range(9):
        library.keep(entry(number))
    assert [one["seed"] for one in library.newest(Wanted())] == [8, 7, 6, 5, 4]
    with pytest.raises(MakarError, match="no asset"):
        library.content(f"{0:032x}")


def test_the_time_of_a_step_is_that_of_what_was_made_before(library):
    assert library.pace("hash of painter") is None
    for number, seconds in enumerate((1.0, 2.0, 90.0)):
        library.keep(entry(number, seconds=seconds, work=10))
    assert library.pace("hash of painter") == pytest.approx(0.2)
    assert library.pace("hash of writer") is None
    # Another engine has a pace of its own.
    assert library.pace("hash of painter", "llama.cpp") is None
    library.keep(entry(9, seconds=30.0, work=10, engine="llama.cpp"))
    assert library.pace("hash of painter", "llama.cpp") == pytest.approx(3.0)
    assert library.pace("hash of painter") == pytest.approx(0.2)


def test_a_film_that_no_model_made_is_kept(library):
    kept = entry(1, model="", medium="video")
    kept.signed["manifest"] |= {"artifact": None, "seed": None, "run": None}
    library.keep(kept)
    (found,) = library.newest(Wanted(medium="video"))
    assert found["model"] == found["run"] == "" and found["seed"] == 0 and library.facets()["model"] == []


def test_what_is_deleted_is_gone(library):
    library.keep(entry(1))
    library.remove(f"{1:032x}")
    assert library.newest(Wanted()) == []
    for ask in (library.get, library.content, library.remove):
        with pytest.raises(MakarError, match="no asset"):
            ask(f"{1:032x}")
    with pytest.raises(MakarError, match="no asset"):
        library.newest(Wanted(before=f"{1:032x}"))


def test_a_library_that_another_process_holds_is_said_to_be_busy(library, monkeypatch):
    monkeypatch.setattr(library_module, "WAIT_SECONDS", 0.01)
    library.keep(entry(1))
    other = sqlite3.connect(library._path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(MakarError, match="cannot be used"):
        library.keep(entry(2))
    said, keeping = (
        {"manifest": entry(2).signed, "png": ""},
        Keeping(model="x", kind="create", prompts=("",), shows_manifest=True),
    )
    said["manifest"]["manifest"]["settings"] = {}
    asyncio.run(keep_file(library, keeping, said, seconds=1.0))
    assert "cannot be used" in said["not_kept"], "what was made is given all the same"
    other.rollback()
    other.close()
    library.keep(entry(2))


def test_a_damaged_library_is_said_to_be_damaged(library):
    library.keep(entry(1))
    for path in library._path.parent.iterdir():
        path.unlink()
    library._path.write_bytes(b"no database" * 1000)
    with pytest.raises(MakarError, match="cannot be used"):
        library.newest(Wanted())


def test_a_library_of_a_later_schema_is_left_alone(library):
    library.keep(entry(1))
    with sqlite3.connect(library._path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(MakarError, match="schema 99"):
        library.newest(Wanted())
