"""pass@k is what counting all choices gives, problems are read as they are published, and programs are judged by running them."""

import gzip
import itertools
import json
from types import SimpleNamespace

import pytest

from makar.api.model import Model
from makar.errors import DataError, EmptyDataError, UnknownNameError, UnsupportedError, UsageError
from makar.evaluation import code_suites
from makar.evaluation.code_suites import run_programs
from makar.evaluation.evaluate import evaluate_suite
from makar.evaluation.pass_at_k import mean_pass_at_k, pass_at_k
from makar.evaluation.programming_problems import read_problems
from tests.generation.small_coder import coder

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
    "entry_point": "double",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function to double a number.",
    "code": "def double(x):\r\n  return 2 * x",
    "test_setup_code": "",
    "test_list": ["assert double(3) == 6", "assert double(0) == 0"],
}


def write(path, *rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_pass_at_k_is_what_counting_all_choices_gives():
    for samples in range(1, 7):
        for solved in range(samples + 1):
            for k in range(1, samples + 1):
                chosen = list(itertools.combinations([True] * solved + [False] * (samples - solved), k))
                assert pass_at_k(samples, solved, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))
    assert mean_pass_at_k(4, [0, 4], 1).value == 0.5
    for samples, solved, k in ((3, 1, 4), (3, 4, 1), (3, 1, 0)):
        with pytest.raises(UsageError):
            pass_at_k(samples, solved, k)


def test_problems_are_read_and_their_own_solutions_pass(tmp_path):
    (first,) = read_problems("humaneval", write(tmp_path / "h.jsonl.gz", HUMANEVAL))
    assert first.id == "HumanEval/0" and first.prompt == HUMANEVAL["prompt"]
    (second,) = read_problems("mbpp", write(tmp_path / "m.jsonl", {**MBPP, "task_id": 3}, MBPP))
    assert second.id == "MBPP/11" and MBPP["text"] in second.prompt and "assert double(3) == 6" in second.prompt
    written = [
        [HUMANEVAL["canonical_solution"]] * 2 + ["    return x\n", "    return (\n"],
        [
            MBPP["code"],
            "def double(x):\n    return 6",
            "import os; os._exit(0)",
            "def double(x):\n    while True: pass",
        ],
    ]
    steps = []
    patch = pytest.MonkeyPatch()
    patch.setattr(code_suites, "LIMITS", code_suites.LIMITS.changed(cpu_seconds=1))
    solved = run_programs([first, second], written, steps.append)
    patch.undo()
    # Whoever leaves before the tests has not passed them.
    assert solved.counts == (2, 1) and solved.parsing == 7 and steps == [1, 2]


def test_files_that_are_no_problems_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        read_problems("mbpp", tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="line 1"):
        read_problems("humaneval", write(tmp_path / "m.jsonl", MBPP))
    with pytest.raises(EmptyDataError):
        read_problems("mbpp", write(tmp_path / "e.jsonl", {**MBPP, "task_id": 1}))
    (tmp_path / "text.jsonl").write_text("words\n", encoding="utf-8")
    with pytest.raises(DataError, match="JSON lines"):
        read_problems("mbpp", tmp_path / "text.jsonl")


def test_a_report_of_a_suite(tmp_path, monkeypatch):
    monkeypatch.setattr(code_suites, "TOKENS", 8)
    model = coder(tmp_path / "model", steps=1, context=32)
    file = write(tmp_path / "h.jsonl", HUMANEVAL)
    report = Model(model).evaluate(file, suite="humaneval", folder=tmp_path / "report", samples=2)
    assert report.values["scores"]["pass_at_1"]["value"] == 0.0 and "pass_at_10" not in report.values["scores"]
    assert "1 problems of humaneval" in report.values["measured_on"] and report.html.is_file()
    with pytest.raises(UnknownNameError, match="humanevil"):
        evaluate_suite(model, "humanevil", file, folder=tmp_path / "x")
    with pytest.raises(UsageError, match="samples"):
        evaluate_suite(model, "mbpp", file, folder=tmp_path / "x", samples=-1)
    with pytest.raises(UsageError, match="its file"):
        Model(model).evaluate(suite="mbpp")


def test_the_program_is_read_out_of_the_answer_of_a_model_that_talks(tmp_path, monkeypatch):
    asked = []

    def generate(artifact, *, prompts, count, seed, options):
        asked.append(options)
        return [
            SimpleNamespace(new_text="Sure:\n```python\ndef double(x):\n    return 2 * x\n```\nDone.")
            for _ in range(count)
        ]

    monkeypatch.setattr(code_suites, "generate", generate)
    monkeypatch.setattr(code_suites, "answers", lambda codec, config: True)
    model = coder(tmp_path / "model", steps=1, context=32)
    report = Model(model).evaluate(
        write(tmp_path / "h.jsonl", HUMANEVAL), suite="humaneval", folder=tmp_path / "report", samples=2
    )
    assert report.values["scores"]["pass_at_1"]["value"] == 1.0 and all("stop" not in options for options in asked)


def test_a_model_of_images_writes_no_programs(tmp_path):
    class Painter:
        medium = "image"

    with pytest.raises(UnsupportedError, match="code or text"):
        evaluate_suite(Painter(), "mbpp", tmp_path / "x.jsonl", folder=tmp_path)
