"""Every example is short and runs, the plug-in as an installed package, the wheel as a user would install it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
STEPS = "6"


def run(*words, path=None, cwd=None):
    """Run a command of this Python with the package on its path; return what it printed."""
    folders = [str(path)] if path else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*folders, str(ROOT / "src")])}
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, env=environment, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    """Return a folder in which the plug-in is installed."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(ROOT / "examples" / "plugin_codec", folder / "source")
    words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    run(*words, "--target", folder / "installed", source)
    return folder / "installed"


@pytest.mark.parametrize(
    "path", [*EXAMPLES, *(ROOT / "examples").rglob("plugin_codec/**/*.py")], ids=lambda path: path.name
)
def test_example_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path):
    assert run(path, STEPS)


@pytest.mark.slow
def test_an_installed_plugin_is_listed_and_keeps_the_contract(plugin):
    rows = json.loads(run("-m", "makar", "list", "recipes", "--json", path=plugin))
    assert "image-bilevel" in {row["name"] for row in rows}
    done = run("-m", "pytest", "tests/contract", "-k", "bilevel", "-p", "no:cacheprovider", path=plugin, cwd=ROOT)
    assert "passed" in done


def test_an_installed_plugin_trains_and_generates(plugin, tmp_path):
    model = tmp_path / "woodcut"
    run(
        "-m",
        "makar",
        "train",
        "builtin:digits",
        "--steps",
        STEPS,
        "--recipe",
        "image-bilevel",
        "-o",
        model,
        path=plugin,
    )
    rows = json.loads(run("-m", "makar", "generate", model, "--json", "-o", tmp_path / "new", path=plugin))
    assert Path(rows[0]["path"]).exists()


@pytest.mark.slow
def test_the_wheel_installs_and_runs(tmp_path):
    copy = shutil.copytree(
        ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(".git", ".venv", "tests", "__pycache__")
    )
    run("-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path / "dist", copy)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    run(*words, "--target", tmp_path / "installed", wheel)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    for words in (["--help"], ["version"], ["list", "recipes"]):
        done = subprocess.run(
            [sys.executable, "-m", "makar", *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import makar; print(makar.__file__)"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=True,
    )
    assert str(tmp_path / "installed") in where.stdout
