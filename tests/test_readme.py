"""The commands of the README are run, as they stand there, in a shell, with short times and small folders of real kinds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.small_models import write_images, write_texts

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECONDS = "8s"


def blocks(language):
    """Return the blocks of the README in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def shortened(block):
    """Return a block with times that a test can wait for."""
    assert re.search(r"--for \d+[mh]|makar export", block)
    return re.sub(r"--for \d+[mh]", f"--for {SECONDS}", block)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Return the home of somebody who has photographs, novels, and ``makar`` on the path."""
    home = tmp_path_factory.mktemp("somebody")
    write_images(home / "photos", count=30)
    write_images(home / "here" / "my-photos", count=30)
    write_texts(home / "novels", count=30)
    program = home / "bin" / "makar"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m makar "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return home


@pytest.fixture
def shell(machine):
    """Return a function that runs lines in this somebody's shell and gives stdout."""
    environment = {name: value for name, value in os.environ.items() if name != "MAKAR_HOME"}
    environment |= {
        "HOME": str(machine),
        "PATH": f"{machine / 'bin'}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }

    def run(*words):
        done = subprocess.run(words, cwd=machine / "here", env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_what_is_not_run_is_only_the_two_commands_of_make():
    left = [block for block in blocks("sh") if "makar" not in block]
    assert left == ["make run\nmake test\n"]
    assert len(blocks("sh")) == 3 and len(blocks("python")) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_commands_of_the_readme_run(shell, machine):
    for block in blocks("sh"):
        if "makar" in block:
            # -e ends at the first command that fails, -x says which one it was.
            shell("bash", "-euxo", "pipefail", "-c", shortened(block))
    here = machine / "here"
    assert len(list((here / "out").glob("*.png"))) == 16
    assert (here / "report-cats" / "report.html").exists()
    assert (here / "poe-hf" / "tokenizer.json").exists() and list((here / "cats-onnx").glob("*.onnx"))
    assert {path.name for path in (machine / ".makar" / "models").iterdir()} == {"cats", "poe"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_python_of_the_readme_runs(shell, machine):
    (block,) = blocks("python")
    assert "minutes=10" in block
    shell(sys.executable, "-c", block.replace("minutes=10", "minutes=0.1"))
    assert (machine / "here" / "one.png").read_bytes().startswith(b"\x89PNG")
