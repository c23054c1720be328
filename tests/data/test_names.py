"""Names and first bytes: kinds, splits, licences and columns are told from them, and nothing is told from them too easily."""

import pytest

from makar.data import licences
from makar.data.sniffing import HEAD_BYTES, sniff
from makar.data.split_names import official_splits, split_of_value
from makar.data.table_columns import choose_columns
from makar.errors import DataError


@pytest.mark.parametrize(
    "name, head, group, form",
    [
        ("a.txt", b"Hello there", "text", "txt"),
        ("README", b"Hello", "text", "txt"),
        ("a.md", b"# Title", "text", "md"),
        ("a.htm", b"<p>x", "text", "html"),
        ("page", b"<!DOCTYPE html><html>", "text", "html"),
        ("a.py", b"import os", "code", "python"),
        ("a.h", b"int x;", "code", "c"),
        ("run", b"#!/usr/bin/env python3\nprint()", "code", "python"),
        ("Makefile", b"all:\n", "code", "make"),
        ("a.csv", b"a,b\n1,2\n", "table", "csv"),
        ("a.json", b'{"a": 1}\n{"a": 2}\n', "table", "jsonl"),
        ("a.json", b'[{"a": 1}]', "table", "json"),
        ("a.json", b'{\n "a": 1}', "table", "json"),
        ("a.jsonl", b'[{"a": 1}]', "table", "json"),
        ("a.jsonl", b'{"a": "' + b"x" * HEAD_BYTES, "table", "jsonl"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "image", "png"),
        ("a.dat", b"PAR1xxxx", "table", "parquet"),
        ("a.npz", b"PK\x03\x04" + bytes(30), "array", "npz"),
        ("a.zip", b"PK\x03\x04" + bytes(30), "archive", "zip"),
        ("a", bytes(257) + b"ustar\x0000", "archive", "tar"),
        ("a.wav", b"RIFF\x00\x00\x00\x00WAVE", "sound", "wav"),
        ("a.txt", b"fLaC\x00", "sound", "flac"),
        ("a.mp3", b"\xff\xfb\x90\x00", "sound", "mp3"),
        ("a.avi", b"RIFF\x00\x00\x00\x00AVI ", "video", "avi"),
        ("a.ani", b"RIFF\x00\x00\x00\x00ACON", "unread", "a RIFF file of a kind that is not read"),
        ("a.webm", b"\x1aE\xdf\xa3\x01", "video", "matroska"),
        ("a.mp4", b"\x00\x00\x00\x20ftypisom", "video", "mp4"),
        ("a.m4a", b"\x00\x00\x00\x20ftypM4A ", "sound", "m4a"),
        ("a.m4p", b"\x00\x00\x00\x20ftypM4P ", "unread", "sound that is protected against copying is not read"),
        ("a.mka", b"\x1aE\xdf\xa3\x01", "sound", "mka"),
        ("a.wav.makar.json", b"{}", "unread", "the manifest of something that Makar made"),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBP", "image", "webp"),
        ("a.pdf", b"%PDF-1.7", "unread", "pdf is not read yet"),
        ("a.txt", b"ab\x00cd" * 50, "unread", "binary, not text"),
        ("a.txt", "Grüße".encode("utf-16"), "text", "txt"),
        ("a.txt", "Plain words".encode("utf-16-le"), "text", "txt"),
        ("a.txt", "Grüße aus München".encode("latin-1"), "text", "txt"),
        ("a.txt", b"", "unread", "zero bytes"),
        ("a.png", b"words", "unread", "called .png but holds text"),
        ("BMW.txt", b"BMW makes cars in Munich.", "text", "txt"),
    ],
)
def test_files_are_told_by_their_first_bytes(name, head, group, form):
    kind = sniff(name, head)
    assert (kind.group, kind.form) == (group, form)


def test_parts_are_honoured_only_beside_a_training_part():
    assert official_splits([("test.jsonl", "table"), ("dev.jsonl", "table")]) == {}
    assert official_splits([("train.jsonl", "table"), ("more.jsonl", "table")]) == {}
    both = official_splits([("train.jsonl", "table"), ("test.jsonl", "table"), ("notes.jsonl", "table")])
    assert both == {"train.jsonl": "train", "test.jsonl": "test"}
    assert official_splits([("a/test/*", "image"), ("b/train/*", "image")]) == {}
    assert official_splits([("a/test/x/*", "image"), ("a/train/y/*", "image")]) == {
        "a/test/": "test",
        "a/train/": "train",
    }
    assert split_of_value(" Dev ") == "validation" and split_of_value("fold 3") is None and split_of_value(None) is None


@pytest.mark.parametrize(
    "text, expected",
    [
        ("MIT", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
        ("cc-by-sa-3.0", "CC-BY-SA-3.0"),
        ("Public Domain", "LicenseRef-public-domain"),
        ("AGPL-3.0", "AGPL-3.0-only"),
        ("LGPL-3.0", "LGPL-3.0-only"),
        ("all rights reserved", "NOASSERTION"),
        ("we submit and permit", "NOASSERTION"),
        ("", "NOASSERTION"),
    ],
)
def test_licences_are_named_by_their_identifiers(text, expected):
    assert licences.licence_named(text) == expected


def test_only_what_is_said_about_the_licence_counts():
    assert licences.licence_of_mention("Made at MIT in 2020.\n\nA data set.") == "NOASSERTION"
    assert licences.licence_of_mention("License: MIT\n") == "MIT"
    assert licences.licence_of_mention("## Licence\nnone stated\n\n## Source\nBSD-3-Clause code\n") == "NOASSERTION"


@pytest.mark.parametrize(
    "table",
    [
        [{"id": 1, "price": "3.50"}],
        [{"when": "2024-01-01 10:00:00.000"}],
        [{"url": "https://example.org/a/long/path/to/something"}],
        [{"file": "a_long_name_of_a_file.flac"}],
        [{"city": "Rome"}, {"city": "Oslo"}],
        [{"blob": b"\x00\x01" * 20}],
        [],
    ],
)
def test_tables_without_text_are_refused(table):
    with pytest.raises(DataError):
        choose_columns(iter(table))


def test_a_named_column_wins_over_a_longer_one():
    table = [
        {"text": f"short {number}", "notes": "a much longer column of remarks " * 9 + str(number)}
        for number in range(5)
    ]
    assert choose_columns(iter(table)).content == "text"
