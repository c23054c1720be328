"""What is measured of code: functions are found and cut where they end, n-grams write what they counted, and a report has all of it."""

import dataclasses

import numpy as np
import pytest

from makar.data.record import Record
from makar.data.store import build_store
from makar.evaluation import code
from makar.evaluation.code import evaluate_code
from makar.evaluation.material import Material
from makar.evaluation.ngram import NgramModel
from makar.evaluation.ngram_writing import continued
from makar.evaluation.python_functions import body_of, functions_of, is_whole, parses, statements_of
from tests.generation.small_coder import FILE, coder

SOURCE = '''import os


class Bear:
    def paws(self, count):
        """Count them.

        Slowly.
        """
        if count:
            return count
        return 4

    def short(self): return 1


async def walk(
    bear,
):
    for paw in range(4):
        print(paw)
x = 1
'''


def test_functions_are_found_with_head_and_body():
    walk, paws = sorted(functions_of(SOURCE), key=lambda function: function.head)
    paws, walk = (paws, walk) if "paws" in paws.head else (walk, paws)
    assert paws.head.startswith("    def paws(self, count):\n") and paws.head.endswith('Slowly.\n        """\n')
    assert paws.body == "        if count:\n            return count\n        return 4\n"
    assert walk.head == "async def walk(\n    bear,\n):\n"
    for function in (paws, walk):
        assert SOURCE.startswith(function.before + function.head + function.body)
    assert functions_of("def f(:\n") == []


@pytest.mark.parametrize(
    ("written", "body", "is_over"),
    [
        ("        a = 1\n\n        return a\n\n    def next(self):\n", "        a = 1\n\n        return a\n\n", True),
        ("        return 1\nx = 2", "        return 1\n", True),
        ("        return 1\n        y = no end", "        return 1\n", False),
        ("        return 1\n    d", "        return 1\n", True),
        ("return 1", "", True),
        ("", "", False),
    ],
)
def test_a_function_ends_where_a_line_is_not_deeper(written, body, is_over):
    assert body_of("    def f(self):\n", written) == (body, is_over)


@pytest.mark.parametrize(
    ("written", "body", "is_over"),
    [
        ("        a = 1\n\n        return a\n\n    def next(self):\n", "        a = 1\n\n        return a\n\n", True),
        ("        a = (\n1\n)\n# c\n        '''\ntext'''\n", "        a = (\n1\n)\n# c\n        '''\ntext'''\n", False),
        ("        return 1\n        y = [\n            2, 3", "        return 1\n        y = [\n", False),
        ("        x = $\n        y", "        x = $\n", False),
        ("        return 1\n    d", "        return 1\n", True),
        ("        return 1\n    # d", "        return 1\n", False),
        ("", "", False),
    ],
)
def test_a_function_ends_before_a_statement_that_is_not_deeper(written, body, is_over):
    assert statements_of("    def f(self):\n", written) == (body, is_over)


def test_what_is_a_function():
    assert is_whole("    def f():\n", "        return 1\n") and not is_whole("    def f():\n", "        return (\n")
    assert not is_whole('def f():\n    """Words."""\n', ""), "a head alone parses and is no completion"
    assert parses("    x = 1\n") and not parses("x = = 1")
    assert parses("    def f():\n        return '''\nx'''\n") and not parses("    x\n  y\n")


def test_the_next_byte_has_the_probability_that_it_has_in_a_text():
    model = NgramModel(b"the cat sat on the mat and the dog lay on the log. " * 20, order=5)
    text = b"the dog sat on"
    following = model.following([text[:end] for end in range(len(text))])
    assert np.allclose(following[np.arange(len(text)), list(text)], model.probabilities(text)[-1])
    assert np.allclose(following.sum(1), 1)


def test_an_ngram_model_writes_what_it_counted():
    model = NgramModel(b"one two three four\n" * 50, order=7)
    written = continued(
        model,
        [b"one t", b"three"],
        most_bytes=40,
        temperature=0.0,
        generator=np.random.default_rng(0),
        is_over=lambda index, text: text.endswith(b"\n"),
    )
    assert written == [b"wo three four\n", b" four\n"]
    drawn = [
        continued(
            NgramModel(b"abacadaeaf" * 50, order=1),
            [b"a"],
            most_bytes=30,
            temperature=1.0,
            generator=np.random.default_rng(seed),
            is_over=lambda index, text: False,
        )
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2] and len(drawn[0][0]) == 30


def test_a_report_of_code_has_lines_and_functions_beside_the_ngram(tmp_path, monkeypatch):
    # Warm enough for mistakes, and short: where everything is as likely, much has to be looked at.
    monkeypatch.setattr(code, "TEMPERATURE", 0.6)
    monkeypatch.setattr(code, "FUNCTION_TOKENS", 32)
    text = FILE + "def third(e):\n    f = e + 1\n    return f\n\n\ndef fourth(e):\n    f = e + 1\n    return f\n"
    model = coder(tmp_path / "model", steps=2, context=32)
    codec = model.codec()

    def store(name, content):
        record = Record(id=name, medium="code", content=content, document=name, source=name, split="train")
        return build_store(tmp_path / name, iter([record]), codec.encode, key=name)

    material = Material(
        artifact=model,
        codec=codec,
        train=store("train", FILE * 20),
        held_out=store("held_out", text),
        novelty=None,
        metrics=[],
        measured_on="one file",
        seed=0,
        samples=12,
        inception=None,
        folder=tmp_path,
        on_event=lambda event: None,
    )
    findings = evaluate_code(material)
    scores = {score.key: score for score in findings.scores}
    assert {"bits_per_byte", "exact_lines", "functions_that_parse", "functions_that_parse_syntax"} <= set(scores)
    # The four functions have a body each, and with the syntax kept it is Python whatever two steps have taught.
    held = scores["functions_that_parse_syntax"]
    assert (
        held.interval.value == 1.0 >= held.baselines[0][1].value and findings.details["functions_without_syntax"] == 0
    )
    for key in ("exact_lines", "functions_that_parse"):
        assert 0 <= scores[key].interval.value <= 1 and scores[key].baselines[0][0].startswith("n-gram")
    # The held-out lines stand in the training text: the n-gram model knows them, a model of two steps does not.
    assert scores["exact_lines"].baselines[0][1].value > scores["exact_lines"].interval.value
    assert any("fills" in sentence for sentence in findings.verdict)
    without = dataclasses.replace(
        material, artifact=coder(tmp_path / "without", steps=0, share=0.0, context=32), train=None
    )
    keys = {score.key for score in evaluate_code(without).scores}
    assert "exact_lines" not in keys and "functions_that_parse" in keys
