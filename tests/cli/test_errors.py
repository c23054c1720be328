"""What the shell says when something is wrong: three lines, the nearest name, the right exit code, JSON when asked for."""

import errno
import json

import pytest

from makar import errors
from makar.cli.app import run
from makar.cli.failure import explain


@pytest.mark.parametrize(
    "words, nearest",
    [
        (["trian", "x"], "train"),
        (["runs", "shw"], "show"),
        (["train", "x", "--fr", "1m"], "--for"),
        (["generate", "x", "--temprature", "1"], "--temperature"),
        (["train", "builtin:digits", "--for", "1m", "--recipe", "imge"], "image"),
        (["inspect", "builtin:digts"], "digits"),
        (["inspect", "builtin:digits", "--medium", "imag"], "image"),
        (["export", "nowhere", "--to", "onnx", "x"], ""),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(words, nearest, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-3 if nearest else -2].startswith("error: ")
    assert nearest in shown.err.splitlines()[-1]
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    "words",
    [
        ["train", "builtin:digits"],
        ["train", "builtin:digits", "--for", "1m", "--steps", "3"],
        ["train", "builtin:digits", "--for", "soon"],
        ["train", "builtin:digits", "--for", "0s"],
        ["train", "builtin:digits", "--steps", "0"],
        ["train"],
        ["runs", "compare", "one"],
        ["runs"],
        ["plan", "builtin:digits"],
    ],
)
def test_wrong_use_ends_with_two(words, capsys):
    assert run(words) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.out == ""


def test_an_error_is_json_when_asked_for(capsys):
    assert run(["train", "builtin:digits", "--fr", "1m", "--json"]) == 2
    shown = capsys.readouterr()
    values = json.loads(shown.out)
    assert values["do"] == "did you mean --for?" and values["exit_code"] == 2
    assert shown.err == ""


def test_data_that_is_not_there_ends_with_one(capsys, tmp_path):
    assert run(["inspect", str(tmp_path / "nothing")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_traceback_only_when_debugging(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_DEBUG", "1")
    assert run(["inspect", str(tmp_path / "nothing")]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, text, code",
    [
        (KeyboardInterrupt(), "same command", 130),
        (errors.InterruptedRunError("stopped", do="go on"), "go on", 130),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "disk is full", 1),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "no permission", 1),
        (MemoryError(), "memory is full", 1),
        (ValueError("odd"), "an error inside Makar: ValueError: odd", 1),
        (errors.UsageError("wrong"), "wrong", 2),
    ],
)
def test_every_exception_says_what_it_means(error, text, code):
    explained = explain(error)
    assert text in str(explained)
    assert explained.exit_code == code


def test_nothing_typed_shows_the_help(capsys):
    assert run([]) == 0
    assert "makar train" in capsys.readouterr().out
