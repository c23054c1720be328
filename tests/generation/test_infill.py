"""Holes in files: found where they are said to be, filled with what belongs there, and the rest of the file untouched."""

import pytest
import torch

from makar.artifacts.load import load_artifact
from makar.codecs.text_config import INFILL_NAMES
from makar.errors import DataError, UnsupportedError, UsageError
from makar.generation.edit import edit
from makar.generation.hole import MARK, Hole, find_hole
from makar.generation.infill import fill, hole_tokens, longest_hole
from makar.generation.request import Request
from makar.provenance.chain import verify
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


def test_a_hole_is_found_by_mark_lines_and_span():
    assert find_hole(f"a{MARK}b") == Hole(before="a", after="b")
    assert find_hole("one\ntwo\nthree", line="2") == Hole(
        before="one\n", after="three", removed="two\n", whole_lines=True
    )
    assert find_hole("one\ntwo\nthree", line="2-3").removed == "two\nthree"
    assert find_hole("one\ntwo", span="1:2-2:3") == Hole(before="o", after="o", removed="ne\ntw")
    assert find_hole("one", span="1:4-1:4") == Hole(before="one", after="")
    assert find_hole("a\r\nb\r\n", line="1").removed == "a\r\n"


def test_lines_are_counted_as_editors_and_parsers_count_them():
    source = "import os\n\x0c\ndef f(x):\n    y = x\u2028\n    y = 1\x0b\n\n    return y\n"
    assert find_hole(source, line="7").removed == "    return y\n"
    assert find_hole(source, span="7:5-7:11").removed == "return"
    assert find_hole("a\rb\r\nc", line="2").removed == "b\r\n"


@pytest.mark.parametrize(
    ("text", "words", "reason"),
    [
        ("a", {}, "no <FILL_ME>"),
        (MARK * 2, {}, "2 <FILL_ME>"),
        ("a\nb", {"line": "3"}, "2 lines"),
        ("a\nb", {"line": "2-1"}, "2 lines"),
        ("a", {"line": "x"}, "no place"),
        ("a", {"span": "1:1-1:9"}, "not in the file"),
        ("ab", {"span": "1:2-1:1"}, "before it begins"),
        ("ab", {"span": "1:2-1:1", "line": "1"}, "one of them"),
    ],
)
def test_places_that_are_not_there_are_refused(text, words, reason):
    with pytest.raises(UsageError) as caught:
        find_hole(text, **words)
    assert reason in str(caught.value)


def test_whole_lines_stay_whole():
    hole = find_hole("one\ntwo\nthree", line="2")
    assert hole.filled("2") == hole.filled("2\n") == "one\n2\nthree" and hole.filled("") == "one\nthree"
    assert find_hole("one\ntwo", line="2").filled("2") == "one\n2"
    assert Hole(before="a", after="b").filled("x") == "axb"


def test_what_repeats_the_rest_is_cut_away():
    hole = find_hole("a\n  b\n\n  c\nd\n", line="2")
    assert hole.trimmed("  x\n  c\nd\n") == "  x\n" and hole.trimmed("  x\n") == "  x\n" and hole.trimmed("  c\n") == ""
    assert hole.trimmed("  x  c\n") == "  x  c\n", "only whole lines repeat whole lines"
    following = Hole(before="", after="    return s\n", whole_lines=True)
    assert following.trimmed("    return s * w\n") == "    return s * w\n", "it only begins like the next line"
    assert following.trimmed("    x\n    return s\n") == "    x\n"
    assert Hole(before="f(", after=") + 1\n").trimmed("x) + 1\ny") == "x"
    assert Hole(before="f(", after=")\n").trimmed("g(x)") == "g(x)", "one bracket is no repetition"


def test_what_belongs_in_a_hole_is_written(model, tmp_path):
    file = tmp_path / "a.py"
    file.write_text(FILE, encoding="utf-8")
    found = []
    for number, line in enumerate(LINES, start=1):
        (asset,) = edit(model, {"image": file, "line": str(number)})
        found.append(asset.content == FILE)
        assert asset.new_text == asset.content[len("".join(LINES[: number - 1])) :][: len(asset.new_text)]
        assert asset.content.endswith("".join(LINES[number:])) and line
    assert sum(found) >= len(LINES) // 2
    marked = tmp_path / "b.py"
    before, after = FILE.split("c * 2")
    marked.write_text(before + MARK + after, encoding="utf-8")
    (asset,) = edit(model, {"image": marked, "infill": True})
    assert asset.content == before + asset.new_text + after
    assert marked.read_text(encoding="utf-8").count(MARK) == 1, "the file that was given is untouched"


def test_it_is_stated_signed_and_verified(model, tmp_path):
    file = tmp_path / "a.py"
    file.write_text(FILE, encoding="utf-8")
    one, two = edit(model, {"image": file, "span": "3:9-3:14"}, count=2, seed=5)
    statement = one.manifest["edit"]
    assert statement["operation"] == "infill" and statement["settings"] == {"span": "3:9-3:14"}
    start, end = statement["made_characters"]
    assert one.content[start:end] == one.new_text and FILE.startswith(one.content[:start])
    assert one.manifest["source_type"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert (one.manifest["seed"], two.manifest["seed"]) == (5, 6)
    assert verify(one.save(tmp_path / "new.py")).is_intact


def test_a_long_file_is_cut_to_the_context_around_the_hole(model):
    config = model.recipe.stages[-1].family
    made = longest_hole(config, None)
    request = Request(model, options={"max_tokens": made}, novelty=None, refuse_copies=False)
    for hole in (
        Hole(before=FILE * 50, after=FILE * 50),
        Hole(before="", after=FILE * 50),
        Hole(before=FILE * 50, after=""),
    ):
        tokens = hole_tokens(request, hole, made=made)
        assert len(tokens) + made == config.context
        codec = request.codec
        prefix, suffix, middle = codec.infill_tokens
        assert tokens[:2].tolist() == [prefix, suffix] and (tokens == middle).sum() == 1
        at = tokens.tolist().index(middle)
        assert hole.after.startswith(codec.decode_tokens(tokens[2:at]))
        assert hole.before.endswith(codec.decode_tokens(tokens[at + 1 :]))
    with pytest.raises(UsageError, match="for a hole"):
        longest_hole(config, config.context)


def test_wrong_requests_are_refused(model, tmp_path, place):
    file = tmp_path / "a.py"
    file.write_text(FILE, encoding="utf-8")
    with pytest.raises(UnsupportedError, match='"mask"'):
        edit(model, {"image": file, "mask": "m.png"})
    with pytest.raises(UsageError, match="nothing says"):
        edit(model, {"image": file})
    with pytest.raises(UnsupportedError, match="a prompt"):
        edit(model, {"image": file, "line": "1"}, prompts="x")
    with pytest.raises(UsageError, match="no file"):
        edit(model, {"image": tmp_path / "none.py", "line": "1"})
    (tmp_path / "latin.py").write_bytes("ä".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        edit(model, {"image": tmp_path / "latin.py", "line": "1"})
    without = coder(place / "without", steps=0, share=0.0)
    with pytest.raises(UnsupportedError, match="cannot infill") as caught:
        edit(without, {"image": file, "line": "1"})
    assert "code" in caught.value.do


def test_transformers_opens_it_with_the_same_tokens_and_fills_the_same(model):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.path)
    network = transformers.AutoModelForCausalLM.from_pretrained(model.path, dtype=torch.float32).eval()
    codec = model.codec()
    assert tokenizer(FILE, add_special_tokens=False)["input_ids"] == codec.encode_text(FILE).tolist()
    assert tokenizer.convert_tokens_to_ids(list(INFILL_NAMES)) == list(codec.infill_tokens)
    hole = find_hole(FILE, line="3")
    request = Request(model, options={"max_tokens": 8, "temperature": 0.0}, novelty=None, refuse_copies=False)
    asked = torch.from_numpy(hole_tokens(request, hole, made=8))
    with torch.inference_mode():
        made = network.generate(asked[None], max_new_tokens=8, do_sample=False)[0, len(asked) :]
    ((_, ours),) = fill(request, [hole], [0], made=8)
    theirs = hole.trimmed(tokenizer.decode(made, skip_special_tokens=True))
    assert ours == theirs
