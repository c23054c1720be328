"""A training that is killed at random moments and resumed ends with the same bits as one that was left alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "kind, kills",
    [("language", 4), ("gan", 4), *(pytest.param(kind, 40, marks=pytest.mark.slow) for kind in ("language", "gan"))],
)
def test_kills_change_nothing(tmp_path, kind, kills):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.kill_program", str(tmp_path), kind, str(kills)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} kills" in done.stdout
