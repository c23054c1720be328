"""The Makefile does what it says, looked at without doing it."""

import shutil
import subprocess

import pytest

from tests.structure import tree

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def said(*words):
    """Return what make would do."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *words], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_another_index_of_wheels_can_be_named_and_none_is_by_default():
    assert "index-url" not in said("install")
    line = next(line for line in said("install", "TORCH_INDEX=somewhere").splitlines() if "torch==" in line)
    assert "--extra-index-url somewhere" in line


def test_offline_runs_the_tests_without_a_network_or_says_why_not():
    shown = said("offline")
    assert "unshare -rn" in shown and "pytest" in shown and "skipped: " in shown


def test_every_target_is_no_file():
    text = (tree.ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(text.partition(".PHONY:")[2].partition("\n")[0].split())
    targets = {
        line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha() and ":" in line and "=" not in line
    }
    assert targets == phony
