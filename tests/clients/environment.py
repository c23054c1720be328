"""The environment in which other people's clients live: their pins do not go together with ours, so they run in a process of their own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS, MEASURE = ROOT / ".venv-clients" / "bin", ROOT / ".venv-lm-eval" / "bin"


def needs(folder):
    """Return the mark that skips a test where an environment was not made."""
    return pytest.mark.skipif(not folder.is_dir(), reason=f"there is no {folder.parent.name}; make clients")


def said(script, *words, folder=CLIENTS, given="", seconds=600):
    """Run a script there and return the last line that it says, read as JSON."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"}
    done = subprocess.run(
        [str(folder / "python"), str(Path(__file__).parent / script), *map(str, words)],
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return json.loads(done.stdout.strip().splitlines()[-1])
