"""Repairs: small changes of a line, tried in a sandbox, kept only with passing tests; the file that was given stays as it is."""

import dataclasses
import subprocess

import pytest

from makar.artifacts.load import load_artifact
from makar.cli.app import run
from makar.errors import MakarError, UsageError
from makar.generation import repair
from makar.generation.edit import edit
from makar.generation.line_edits import MOST, line_edits
from makar.generation.repair import Trial, _named_lines
from makar.provenance.chain import verify
from tests.generation.small_coder import FILE, coder

TESTS = "python -c 'import wrong; assert wrong.first(3) == 4'"
WRONG = FILE.replace("b = a + 1", "b = a - 1")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a home and a model of code."""
    folder = tmp_path_factory.mktemp("coder")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    coder(folder / "home" / "models" / "coder")
    patch.undo()
    return folder


@pytest.fixture
def model(place, monkeypatch, tmp_path):
    """Return the model of code, in a folder with a file that is wrong."""
    monkeypatch.setenv("MAKAR_HOME", str(place / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    return load_artifact(place / "home" / "models" / "coder")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("    return a - b\n", "    return a + b\n"),
        ("if x <= 3:\n", "if x < 3:\n"),
        ("if x and y:\n", "if x or y:\n"),
        ("for i in range(9):\n", "for i in range(10):\n"),
        ("    print(lines\n", "    print(lines)\n"),
        ("while x(1\r\n", "while x(1):\r\n"),
        ("if x\n", "if x:\n"),
        ("    total = count\n", "    total = item\n"),
        ("x = not y\n", "x = y\n"),
        ("x = f(y))\n", "x = f(y)\n"),
    ],
)
def test_common_mistakes_are_one_change_away(wrong, right):
    found = line_edits(wrong, ["for item in items:\n", "    total = item + item  # word\n"])
    assert right in found and wrong not in found and len(found) == len(set(found)) <= MOST


def test_lines_that_tests_name_come_last_to_first():
    said = 'File "/x/wrong.py", line 3, in f\nwrong.py:7: AssertionError\nother.py:2: no\nwrong.py:99: no'
    assert _named_lines(said, "wrong.py", 8) == [7, 3]


def test_a_wrong_line_is_repaired_and_the_change_applies(model, tmp_path):
    (asset,) = edit(model, {"image": "wrong.py", "fix": True, "tests": TESTS, "diff": True})
    assert "-    b = a - 1\n+    b = a + 1\n" in asset.content and asset.new_text == asset.content
    statement = asset.manifest["edit"]
    assert statement["operation"] == "fix" and statement["line"] == 3 and statement["settings"]["tests"] == TESTS
    assert (tmp_path / "wrong.py").read_text(encoding="utf-8") == WRONG
    assert verify(asset.save(tmp_path / "change.diff")).is_intact
    subprocess.run(["git", "apply", "change.diff"], cwd=tmp_path, check=True)
    assert (tmp_path / "wrong.py").read_text(encoding="utf-8") == FILE


def test_only_an_output_that_says_so_touches_the_file(model, tmp_path, capsys):
    words = ["edit", "coder", "wrong.py", "--fix", "--tests", TESTS]
    assert run(words) == 0
    assert "+    b = a + 1" in capsys.readouterr().out
    assert run([*words, "-o", "right.py"]) == 0
    assert (tmp_path / "right.py").read_text(encoding="utf-8") == FILE
    assert (tmp_path / "wrong.py").read_text(encoding="utf-8") == WRONG
    assert run([*words, "-o", "wrong.py"]) == 0
    assert (tmp_path / "wrong.py").read_text(encoding="utf-8") == FILE and verify(tmp_path / "wrong.py").is_intact
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".makar-")]


def test_what_cannot_be_repaired_is_said(model, tmp_path, monkeypatch):
    with pytest.raises(MakarError, match="none of 2 changes"):
        edit(model, {"image": "wrong.py", "fix": True, "tests": "python -c 'raise SystemExit(1)'", "tries": 2})
    with monkeypatch.context() as patch:
        patch.setattr(repair, "LIMITS", dataclasses.replace(repair.LIMITS, wall_seconds=0.5))
        endless = "python -c 'while True: pass'"
        with pytest.raises(
            MakarError,
            match=r"(?s)some runs were ended by the limit of time.*at most 0\.5 s, 1,024 MB and 16 processes",
        ):
            edit(model, {"image": "wrong.py", "fix": True, "tests": endless, "tries": 1})
    with pytest.raises(UsageError, match="pass already"):
        edit(model, {"image": "wrong.py", "fix": True, "tests": "python -c pass"})
    with pytest.raises(UsageError, match="no program"):
        edit(model, {"image": "wrong.py", "fix": True, "tests": "no-such-program x"})
    with pytest.raises(UsageError, match="cannot be read"):
        Trial(tmp_path / "wrong.py", "'")
    with pytest.raises(UsageError, match="without tests"):
        edit(model, {"image": "wrong.py", "fix": True})
    with pytest.raises(UsageError, match="given place"):
        edit(model, {"image": "wrong.py", "fix": True, "tests": "x", "line": "3"})
    with pytest.raises(UsageError, match="no repair"):
        edit(model, {"image": "wrong.py", "line": "3", "tests": "x"})
    with pytest.raises(UsageError, match="2 repairs"):
        edit(model, {"image": "wrong.py", "fix": True, "tests": "x"}, count=2)
