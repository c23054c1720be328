"""Lines that look wrong: what does not parse comes first, then what surprises a model that knows better; words are not code."""

import numpy as np
import pytest
import torch

from makar.artifacts.load import load_artifact
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.generation.bugs import BUGS, ranked_lines
from makar.generation.line_windows import line_windows
from makar.generation.predict import predict
from makar.generation.python_source import code_columns, doubtful_lines, unparsable_lines
from makar.tensor_spec import TARGET
from tests.generation.small_coder import FILE, LINES, coder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a home and a model of code."""
    folder = tmp_path_factory.mktemp("coder")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    coder(folder / "model")
    patch.undo()
    return folder


@pytest.fixture
def model(place, monkeypatch):
    """Return the model of code."""
    monkeypatch.setenv("MAKAR_HOME", str(place / "home"))
    return load_artifact(place / "model")


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("x = 1\n", []),
        ("x = 1\ny = = 2\n", [2]),
        ("def f(:\n    return 1\nx = )\n", [1, 3]),
        ("if x:\n    y = (1\nz = 2\n", [2]),
        ("for x in y\n    pass\n", [1]),
        ("", []),
        # A form feed ends no line, for the parser as for an editor.
        ("import os\n\x0c\ndef f():\n    return (os\n", [4]),
    ],
)
def test_lines_that_do_not_parse_are_found(source, numbers):
    assert [one.number for one in unparsable_lines(source)] == numbers


def test_words_are_no_code():
    found = code_columns('x = 1  # one\n"""Long\nwords."""\ny = "short"\n')
    assert sorted(found) == [1, 4] and found[1] == [(0, 1), (2, 3), (4, 5)] and found[4][-1] == (4, 11)
    assert code_columns("x = (") is None


def test_surprise_is_that_of_the_loss(model):
    family, codec = model.family(), model.codec()
    tokens = torch.from_numpy(codec.encode_text(FILE))[None, :30]
    found = family.predict({TARGET: tokens}, BUGS, torch.Generator())
    loss = family.validation_loss({TARGET: tokens}, torch.Generator())
    assert found["surprise"].mean() == pytest.approx(loss.value.item(), rel=1e-4)
    chances = family.network(tokens[:, :-1]).softmax(-1).detach().numpy()
    entropy = -(chances * np.log(chances)).sum(-1)
    assert np.allclose(found["uncertainty"], entropy, atol=1e-4)
    assert (found["expected"] == chances.argmax(-1)).all()


def test_a_window_holds_the_line_last_and_what_is_around_it(model):
    codec, config = model.codec(), model.recipe.stages[-1].family
    lines = LINES * 6
    prefix, suffix, middle = codec.infill_tokens
    for window in line_windows(lines, [1, 20, len(lines)], codec, config, end_token=codec.end_token):
        tokens = window.tokens.tolist()
        assert len(tokens) == config.context + 1 and tokens[:2] == [prefix, suffix]
        assert codec.decode_tokens(window.line) == lines[window.number - 1]
        assert tokens[window.start : window.start + len(window.line)] == window.line.tolist()
        at = tokens.index(middle)
        assert "".join(lines[window.number :]).startswith(codec.decode_tokens(window.tokens[2:at]))
        assert "".join(lines[: window.number - 1]).endswith(codec.decode_tokens(window.tokens[at + 1 : window.start]))


@pytest.mark.parametrize("wrong", ["    b = a - 1\n", "    return d\n", "    d = c * c\n"])
def test_a_planted_mistake_is_found(model, tmp_path, wrong):
    number = {"b": 3, "r": 4, "d": 6}[wrong.strip()[0]]
    lines = [*LINES]
    lines[number - 1] = wrong
    file = tmp_path / "a.py"
    file.write_text("".join(lines), encoding="utf-8")
    rows = list(predict(model, [file], what=BUGS, top=2))
    assert number in [row["line"] for row in rows] and [row["rank"] for row in rows] == [1, 2]
    row = next(row for row in rows if row["line"] == number)
    assert row["text"] == wrong.rstrip("\n") and row["score"] > 1 and "likely" in row["reason"]
    clean = ranked_lines(model, FILE, is_python=True)
    assert next(one.score for one in clean if one.line == number) < row["score"]


def test_what_does_not_parse_comes_first(model, tmp_path):
    file = tmp_path / "a.py"
    file.write_text(FILE.replace("return b", "return (b"), encoding="utf-8")
    rows = list(predict(model, [file], what=BUGS, top=3))
    assert rows[0]["line"] == 4 and rows[0]["score"] is None and "does not parse" in rows[0]["reason"]
    other = tmp_path / "a.txt"
    other.write_bytes(file.read_bytes())
    assert all(row["score"] is not None for row in predict(model, [other], what=BUGS))


def test_a_name_that_nothing_defines_comes_before_what_surprises(model, tmp_path):
    file = tmp_path / "a.py"
    file.write_text(FILE.replace("return b", "return other"), encoding="utf-8")
    rows = list(predict(model, [file], what=BUGS, top=3))
    # Line 3 computes a value that nobody reads any more.
    assert [(row["line"], row["found_by"]) for row in rows[:2]] == [(4, "checker"), (3, "checker")]
    assert rows[2]["found_by"] == "model"
    assert "undefined name 'other'" in rows[0]["reason"] and "surprising" in rows[0]["reason"]
    broken = FILE.replace("return b", "return other").replace("d = c", "d = (c")
    assert {one.found_by for one in ranked_lines(model, broken, is_python=True)} == {"parser", "model"}
    assert {one.found_by for one in ranked_lines(model, file.read_text(), is_python=False)} == {"model"}


def test_doubtful_lines_are_those_that_cannot_be_meant():
    source = "import os\nfrom math import *\n\n\ndef half(number):\n    kept = number / 2\n    return nubmer\n"
    assert [(one.number, one.message) for one in doubtful_lines(source)] == [
        (6, "local variable 'kept' is assigned to but never used"),
    ]
    source = source.replace("from math import *\n", "\n")
    assert [one.number for one in doubtful_lines(source)] == [6, 7]
    assert doubtful_lines("def broken(:\n") == doubtful_lines("\0") == doubtful_lines("") == []


def test_what_cannot_be_looked_at_is_refused(model, tmp_path):
    (tmp_path / "empty.py").write_text("\n\n", encoding="utf-8")
    with pytest.raises(EmptyDataError):
        list(predict(model, [tmp_path / "empty.py"], what=BUGS))
    with pytest.raises(UsageError, match="no file"):
        list(predict(model, [tmp_path / "none.py"]))
    with pytest.raises(UsageError, match="a question"):
        predict(model, [tmp_path / "empty.py"], query="where?")
    with pytest.raises(UnsupportedError, match="smell"):
        predict(model, [tmp_path / "empty.py"], what="smell")
