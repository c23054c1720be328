"""Benchmarks end with 1 where a bar is missed, so that nobody has to read the figures to notice."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def memory(monkeypatch):
    """Return the benchmark of memory as a module."""
    return loaded("memory", monkeypatch)


@pytest.fixture
def adversarial(monkeypatch):
    """Return the benchmark of adversarial models as a module."""
    return loaded("gan_examples", monkeypatch)


def loaded(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    specification = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_more_than_two_gigabytes_is_a_failure(memory):
    assert [memory.exit_code(count) for count in (1_500_000_000, 2_000_000_000, 2_000_000_001)] == [0, 0, 1]


def test_the_bar_decides_how_the_benchmark_ends(memory, monkeypatch, tmp_path):
    results = []
    monkeypatch.setattr(memory, "write_text", lambda path, size: path.write_text("It was dark. " * 20000))
    monkeypatch.setattr(memory, "write_result", lambda name, result: results.append(result))
    monkeypatch.setattr(memory, "BAR_BYTES", 1000)
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent / "src"))
    monkeypatch.setattr(sys, "argv", ["memory.py", "--megabytes", "1", "--seconds", "2"])
    with pytest.raises(SystemExit) as ended:
        memory.main()
    assert ended.value.code == 1
    assert results[0]["held"] is False and results[0]["largest_resident_bytes"] > 1000


@pytest.mark.parametrize("ours, exit_code", [(12.0, 0), (31.0, 1)])
def test_runs_that_were_made_are_put_together_and_not_made_again(adversarial, monkeypatch, tmp_path, ours, exit_code):
    distances = {"dcgan": [ours - 1, ours + 1], "examples:64": [40.0, 44.0], "examples:32": [29.0, 31.0]}
    judged = {"judge": "a", "judge_accuracy": 0.9, "floor": 1.0, "floor_images": 5000, "floor_of_halves": 0.5}
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for seed, file in enumerate(files):
        rows = [
            {"data": "emoji", "side": side, "minutes": 2.0, "seed": seed, "fid": values[seed], **judged}
            for side, values in distances.items()
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = []
    monkeypatch.setattr(adversarial, "write_result", lambda name, result: results.append(result))
    sides = ["--sides", *distances, "--data", "emoji", "--minutes", "2", "--seeds", "0", "1"]
    rows = ["--rows", *map(str, files)]
    monkeypatch.setattr(sys, "argv", ["gan_examples.py", "--examples", str(tmp_path), *sides, *rows])
    with pytest.raises(SystemExit) as ended:
        adversarial.main()
    assert ended.value.code == exit_code
    (found,) = results[0]["summary"]
    # The best of the peer's widths counts.
    assert found["over_best_peer"] == {"dcgan": ours / 30.0} and found["runs"]["dcgan"] == 2


def test_runs_of_different_judges_are_not_put_together(adversarial):
    rows = [{"data": "emoji", "side": "dcgan", "minutes": 2.0, "seed": 0, "fid": 9.0, "judge": judge} for judge in "ab"]
    with pytest.raises(SystemExit, match="judged by 2 extractors"):
        adversarial.summary_of(rows)
