"""What stands for a text: the text itself, a file, the rows of a table, a folder, lines of the standard input."""

import gzip
import io
import json

import pytest

from makar.errors import DataError
from makar.generation.given_texts import given_texts


def test_a_text_a_file_a_folder_and_lines(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one\ntwo", encoding="utf-8")
    (tmp_path / "b.png").write_bytes(b"no text")
    monkeypatch.setattr("sys.stdin", io.StringIO("first\n\n second \n"))
    assert list(given_texts(["said", str(tmp_path / "a.txt"), tmp_path, "-"])) == [
        ("said", "said"),
        (str(tmp_path / "a.txt"), "one\ntwo"),
        (str(tmp_path / "a.txt"), "one\ntwo"),
        ("first", "first"),
        ("second", "second"),
    ]
    assert list(given_texts("long " * 2000)) == [("long " * 2000, "long " * 2000)]


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.csv", "label,sentence\n1,a good film\n0,bad\n", ["a good film", "bad"]),
        ("a.jsonl", '{"tokens": ["Ada", "ran"]}\n', ["Ada ran"]),
        ("a.json", '[{"note": "only one", "stars": 3}]', ["only one"]),
        ("a.conll", "Ada B-PER\nran O\n\nYes O\n", ["Ada ran", "Yes"]),
    ],
)
def test_a_table_stands_for_its_rows(tmp_path, name, content, texts):
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = list(given_texts(tmp_path / name))
    assert [text for _, text in found] == texts and found[0][0].endswith(f"{name}#1")


def test_a_compressed_table_is_read(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": "hello"}).encode()))
    assert [text for _, text in given_texts(tmp_path / "a.jsonl.gz")] == ["hello"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "title,plot\none,two\n"),
        ("a.jsonl", '{"text": "fine"}\n{broken\n'),
        ("a.txt", b"\xff\xfe\xfa"),
        ("a.csv", b"\x89PNG\r\n\x1a\n"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError):
        list(given_texts(tmp_path / name))


def test_an_empty_text_is_not_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "private.txt").write_text("not asked for", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert list(given_texts(["good", "", " "])) == [("good", "good"), ("", ""), (" ", " ")]


def test_a_path_that_leads_nowhere_is_refused(tmp_path):
    with pytest.raises(DataError, match="no file"):
        list(given_texts(tmp_path / "gone.txt"))
    with pytest.raises(DataError, match="no file"):
        list(given_texts(str(tmp_path / "gone.csv.gz")))
    said = ["Read notes.txt", "3.5", "https://example.org/a.txt"]
    assert [text for _, text in given_texts(said)] == said


@pytest.mark.parametrize("empty", ["", '"text": null,', '"text": "  ",'])
def test_a_row_without_its_text_is_named_and_no_other_column_is_read_for_it(tmp_path, empty):
    (tmp_path / "a.jsonl").write_text(
        f'{{{empty} "label": "neg"}}\n{{"text": "good", "label": "pos"}}\n', encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"a\.jsonl#1 has no text in text"):
        list(given_texts(tmp_path / "a.jsonl"))
