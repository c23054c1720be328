"""The index: what changes is read again, what is gone is gone, kills and two writers do no harm, both kinds of search find."""

import os
import sqlite3
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from makar.data.document import Skip
from makar.data.entries import Entry
from makar.errors import ArtifactError, DataError, EmptyDataError, MakarError, OutOfSpaceError, UsageError
from makar.retrieval import indexing, sqlite_index
from makar.retrieval.chunking import passages
from makar.retrieval.evidence import Evidence
from makar.retrieval.indexing import index_documents
from makar.retrieval.reading import Reading, of_text
from makar.retrieval.review import review
from makar.retrieval.search import Encoder, search
from makar.retrieval.sqlite_index import SqliteIndex
from makar.retrieval.terms import Stemmer

TEXTS = {
    "rain.txt": "Rain falls from clouds. It makes the ground wet.",
    "snow.md": "# Snow\n\nSnow is frozen water and it falls in winter.",
    "sun.txt": "The sun shines by day. Refunding is not its business.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "papers"
    place.mkdir()
    for name, text in TEXTS.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


@pytest.fixture
def index(tmp_path: Path) -> SqliteIndex:
    return SqliteIndex.create(tmp_path / "index.sqlite")


def names(index: SqliteIndex, question: str, **more: object) -> list[str]:
    return [hit.stored.document for hit in search(index, question, limit=5, **more)]  # type: ignore[arg-type]


def counted(text: str) -> np.ndarray:
    """Return how often each letter is in a text: a poor but honest vector."""
    return np.array([1e-3 + text.lower().count(chr(letter)) for letter in range(97, 123)])


LETTERS = Encoder(name="letters", embed=lambda texts: np.stack([counted(text) for text in texts]))


def test_words_are_found_in_any_of_their_forms(folder: Path, index: SqliteIndex) -> None:
    assert index_documents(index, folder).added == 3
    assert names(index, "Why does it rain?")[0] == "papers/rain.txt"
    assert names(index, "refunds") == ["papers/sun.txt"]
    assert names(index, "nothing of this kind: zebra") == []


def test_only_what_changed_is_read_again_and_what_is_gone_is_taken_out(folder: Path, index: SqliteIndex) -> None:
    index_documents(index, folder)
    again = index_documents(index, folder)
    assert (again.added, again.changed, again.unchanged, again.removed) == (0, 0, 3, 0)
    (folder / "rain.txt").write_text("Hail is made of ice.")
    os.utime(folder / "sun.txt", ns=(1, 1))
    (folder / "snow.md").unlink()
    third = index_documents(index, folder)
    assert (third.added, third.changed, third.unchanged, third.removed) == (0, 1, 1, 1)
    assert names(index, "hail") == ["papers/rain.txt"]
    assert names(index, "snow") == names(index, "clouds") == []
    integrity = sqlite3.connect(index.path)
    integrity.execute("insert into words(words) values ('integrity-check')")
    assert integrity.execute("pragma integrity_check").fetchone() == ("ok",)


def test_scripts_without_spaces_are_found_by_three_characters(tmp_path: Path, index: SqliteIndex) -> None:
    (tmp_path / "ja").mkdir()
    (tmp_path / "ja" / "a.txt").write_text("東京都は日本の首都である。", encoding="utf-8")
    (tmp_path / "ja" / "b.txt").write_text("富士山は高い山である。", encoding="utf-8")
    index_documents(index, tmp_path / "ja")
    assert names(index, "富士山の高さ")[0] == "ja/b.txt"
    assert names(index, "富士 高い") == names(index, "富士", documents=["ja/b.txt"]) == ["ja/b.txt"]
    assert names(index, "大阪") == names(index, "富士", documents=["ja/a.txt"]) == []
    (tmp_path / "ja" / "b.txt").unlink()
    index_documents(index, tmp_path / "ja")
    assert "ja/b.txt" not in names(index, "富士山の高さ")


def test_vectors_find_what_words_do_not_and_go_with_their_passages(folder: Path, index: SqliteIndex) -> None:
    outcome = index_documents(index, folder, encoder=LETTERS)
    assert outcome.embedded == 3
    assert names(index, "wwwwiiiinnnnttttteerr", encoder=LETTERS)
    assert index_documents(index, folder, encoder=LETTERS).embedded == 0
    (folder / "rain.txt").write_text("zzzz zz")
    assert index_documents(index, folder, encoder=LETTERS).embedded == 1
    assert names(index, "zzzzz", encoder=LETTERS)[0] == "papers/rain.txt"
    numbers, vectors = index.vectors("letters")
    assert len(numbers) == 3
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-2)
    with pytest.raises(DataError, match="not finite"):
        index.add_vectors("letters", [1], np.full((1, 4), np.nan))


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number:03d}.txt").write_text(f"Document {number} speaks of subject{number}.")
    code = (
        "import os, pathlib, makar.retrieval.indexing as i; from makar.retrieval.sqlite_index import SqliteIndex\n"
        f"x = SqliteIndex.create(pathlib.Path({str(tmp_path / 'k.sqlite')!r}))\n"
        f"i.index_documents(x, pathlib.Path({str(folder)!r}), progress=lambda s, d, t: d >= 60 and os.kill(os.getpid(), 9))"
    )
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "src"}, check=False)
    assert killed.returncode == -9
    index = SqliteIndex.open(tmp_path / "k.sqlite")
    outcome = index_documents(index, folder)
    assert outcome.unchanged >= 60
    assert outcome.added == 150 - outcome.unchanged
    assert names(index, "subject149") == ["many/149.txt"]


def test_two_writers_take_turns(tmp_path: Path, index: SqliteIndex) -> None:
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        for number in range(40):
            (tmp_path / kind / f"{number}.txt").write_text(f"The {kind} document {number} of many.")
    failures: list[BaseException] = []

    def write(kind: str) -> None:
        try:
            index_documents(index, tmp_path / kind)
        except BaseException as error:
            failures.append(error)
        finally:
            index.close()

    threads = [threading.Thread(target=write, args=(kind,)) for kind in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert index.counts()[0] == 80


def test_another_writer_does_not_wait_for_a_document_that_is_parsed(
    folder: Path, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_index, "LOCK_SECONDS", 0.2)
    other, real = SqliteIndex(index.path), indexing.read_entry

    def slow(entry: Entry, skip: Skip) -> Reading:
        other.note("written meanwhile", entry.name)
        return real(entry, skip)

    monkeypatch.setattr(indexing, "read_entry", slow)
    monkeypatch.setattr(indexing, "TOGETHER", 2)
    assert index_documents(index, folder).added == 3
    assert index.about("written meanwhile") == "sun.txt"


def test_much_text_is_written_before_more_is_read(
    folder: Path, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "HELD_CHARACTERS", 60)
    told: list[int] = []
    index_documents(index, folder, progress=lambda stage, done, total: told.append(done))
    assert told == [2, 3]


def test_the_members_of_an_archive_that_are_gone_are_taken_out(tmp_path: Path, index: SqliteIndex) -> None:
    place = tmp_path / "papers.zip"
    for kept in (2, 1):
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in [("rain.txt", TEXTS["rain.txt"]), ("sun.txt", TEXTS["sun.txt"])][:kept]:
                archive.writestr(name, text)
        outcome = index_documents(index, place)
    assert (outcome.removed, index.counts()[0]) == (1, 1)
    assert names(index, "Why does the sun shine?") == []
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("picture.png", b"\x89PNG\r\n\x1a\n")
    assert index_documents(index, place).removed == 1


def test_what_stays_as_it_is_counts_as_no_change(folder: Path, index: SqliteIndex) -> None:
    index_documents(index, folder, encoder=LETTERS)
    state = index.about("changes")
    os.utime(folder / "sun.txt", ns=(1, 1))
    index.note("something", "else")
    index.remove("what is not there")
    index_documents(index, folder, encoder=LETTERS)
    assert index.about("changes") == state
    (folder / "sun.txt").unlink()
    index_documents(index, folder, encoder=LETTERS)
    assert index.about("changes") != state


def test_a_full_disk_and_a_file_that_another_holds_are_called_that(
    folder: Path, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_index, "LOCK_SECONDS", 0.1)
    other = SqliteIndex(index.path)
    with index.together(), pytest.raises(MakarError, match="another process holds"):
        other.note("a", "b")
    (pages,) = index._connection.execute("pragma page_count").fetchone()
    index._connection.execute(f"pragma max_page_count = {pages + 2}")
    (folder / "long.txt").write_text(" ".join(map(str, range(20_000))))
    with pytest.raises(OutOfSpaceError, match="the disk is full"):
        index_documents(index, folder)
    index._connection.execute("pragma max_page_count = 100000")
    assert index_documents(index, folder).added == 4


def test_what_cannot_be_read_is_said_and_the_rest_is_there(folder: Path, index: SqliteIndex) -> None:
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 50)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    outcome = index_documents(index, folder)
    assert outcome.added == 3
    assert {name for name, _ in outcome.skipped} == {"papers/picture.png", "papers/broken.pdf"}


def test_one_file_that_surprises_its_parser_is_skipped_and_the_rest_is_there(
    folder: Path, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = indexing.read_entry

    def odd(entry: Entry, skip: Skip) -> Reading:
        if entry.name == "snow.md":
            raise NotImplementedError("a form of snow that nobody knows")
        return real(entry, skip)

    monkeypatch.setattr(indexing, "read_entry", odd)
    outcome = index_documents(index, folder)
    assert outcome.added == 2
    assert outcome.skipped == [
        ("papers/snow.md", "it cannot be read: NotImplementedError: a form of snow that nobody knows")
    ]


def test_wrong_files_and_sources_are_refused(tmp_path: Path, folder: Path, index: SqliteIndex) -> None:
    (tmp_path / "other.sqlite").write_bytes(b"something else entirely, long enough to be looked at")
    with pytest.raises(ArtifactError, match="no index"):
        SqliteIndex.open(tmp_path / "other.sqlite")
    with pytest.raises(ArtifactError, match="no index"):
        SqliteIndex.open(tmp_path / "missing.sqlite")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyDataError):
        index_documents(index, tmp_path / "empty")
    index_documents(index, folder)
    (tmp_path / "elsewhere" / "papers").mkdir(parents=True)
    with pytest.raises(UsageError, match="another source"):
        index_documents(index, tmp_path / "elsewhere" / "papers")


def test_an_index_whose_maker_was_killed_before_its_tables_is_made(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "touched.sqlite").touch()
    begun = sqlite3.connect(tmp_path / "begun.sqlite")
    begun.execute("pragma journal_mode = wal")
    begun.close()
    for name in ("touched.sqlite", "begun.sqlite"):
        assert index_documents(SqliteIndex.create(tmp_path / name), folder).added == 3
    foreign = sqlite3.connect(tmp_path / "foreign.sqlite")
    foreign.execute("create table songs (name text)")
    with pytest.raises(ArtifactError, match="no index"):
        SqliteIndex.create(tmp_path / "foreign.sqlite")
    (tmp_path / "page.sqlite").write_text("<p>what is no database at all, and long enough to be looked at</p>" * 9)
    with pytest.raises(ArtifactError, match="no index"):
        SqliteIndex.create(tmp_path / "page.sqlite")


@pytest.mark.parametrize(
    "question", ['"', "a AND OR NOT", "x* NEAR(", "\0", "((", "title: rain", "-", "😀", "'; drop table words"]
)
def test_no_question_is_an_error_of_the_query_language(folder: Path, index: SqliteIndex, question: str) -> None:
    index_documents(index, folder)
    search(index, question, limit=3)
    assert index.counts()[0] == 3


def test_equal_and_overlapping_passages_come_once(index: SqliteIndex) -> None:
    text = " ".join(f"Whales are large and whale {number} swims." for number in range(60))
    for name in ("one", "two"):
        index.replace(name, passages(of_text(text)), title=name, size=1, modified=1, sha256="", form="txt")
    found = search(index, "whales", limit=50)
    texts = [hit.stored.passage.text for hit in found]
    assert len(texts) == len(set(texts))


def test_copies_leave_room_for_what_else_there_is(tmp_path: Path, index: SqliteIndex) -> None:
    place = tmp_path / "papers"
    place.mkdir()
    for number in range(15):
        (place / f"version{number}.txt").write_text("The refund is paid within thirty days of the return.")
    (place / "other.txt").write_text("A refund for digital goods is never given.")
    index_documents(index, place)
    assert len(names(index, "When is the refund paid?")) == 2
    assert names(index, "When is the refund paid?")[1] == "papers/other.txt"
    every = search(index, "When is the refund paid?", limit=2, with_copies=True)
    assert len(every) == 16
    made = review("When is the refund paid?", every, Evidence(index, every))
    assert made.points[0].documents == 15


def test_terms_are_those_of_the_index() -> None:
    stemmer = Stemmer()
    assert stemmer.terms(["Running dogs", "", "Cafés!"]) == [["run", "dog"], [], ["cafe"]]
    assert stemmer.content_terms("What are the running dogs doing?") == ["run", "dog"]
