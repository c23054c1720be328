"""Two small trained models that all tests of the shell share."""

import shutil

import pytest

from tests.cli.small_models import make_models, write_images, write_texts


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Return a folder with data, a home and two trained models."""
    folder = tmp_path_factory.mktemp("models")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    make_models(folder)
    write_texts(folder / "both" / "texts", count=6)
    write_images(folder / "both" / "images", count=6)
    patch.undo()
    return folder


@pytest.fixture
def place(models, tmp_path, monkeypatch):
    """Return the shared folder with its home in force, from an empty folder of the test's own."""
    monkeypatch.setenv("MAKAR_HOME", str(models / "home"))
    monkeypatch.chdir(tmp_path)
    return models


@pytest.fixture
def own_place(models, tmp_path, monkeypatch):
    """Return a copy of the shared folder, for what changes it."""
    folder = shutil.copytree(models, tmp_path / "own")
    monkeypatch.setenv("MAKAR_HOME", str(folder / "home"))
    for file in (folder / "home" / "runs").glob("*/stores.json"):
        file.write_text(file.read_text(encoding="utf-8").replace(str(models), str(folder)), encoding="utf-8")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder
