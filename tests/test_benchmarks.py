"""Benchmarks end with 1 where a bar is missed, so that nobody has to read the figures to notice."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def memory(monkeypatch):
    """Return the benchmark of memory as a module."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    specification = importlib.util.spec_from_file_location("memory_benchmark", FOLDER / "memory.py")
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
