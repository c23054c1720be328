"""Pages of mapped files are given back, and what is read afterwards is the same."""

from pathlib import Path

import numpy as np
import pytest

from makar.data.mapped import release


def resident_kilobytes(path):
    """Return how much of the mappings of a file is resident, as the kernel says."""
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    found, inside = 0, False
    for line in lines:
        if "-" in line.split(" ", 1)[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not say what is resident")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_pages_are_given_back_and_can_be_read_again(tmp_path, mode):
    path = tmp_path / "values.bin"
    np.arange(1 << 20, dtype=np.int64).tofile(path)
    values = np.memmap(path, np.int64, mode=mode).reshape(-1, 4)
    view = np.asarray(values)[10:]
    total = int(values.sum())
    assert resident_kilobytes(path) > 7000
    release(view)
    assert resident_kilobytes(path) < 100
    assert int(values.sum()) == total


def test_an_array_in_memory_is_left_alone():
    values = np.arange(10)
    release(values)
    assert values.tolist() == list(range(10))
