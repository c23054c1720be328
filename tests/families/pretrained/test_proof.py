"""Assets of a pretrained pipeline can be verified back to the files of its folder, and say that its data is unknown."""

import json
import shutil

import pytest

from makar.api.model import load, verify
from makar.artifacts.export import export_artifact
from makar.errors import UnsupportedError

OPTIONS = {"steps": 1}


@pytest.fixture
def base(pipelines, tmp_path):
    """Return a copy of a folder that may be changed."""
    return shutil.copytree(pipelines("stable_diffusion"), tmp_path / "base")


def test_an_asset_is_followed_to_the_files_of_the_folder(base, tmp_path):
    (asset,) = load(base).generate("a fox", options=OPTIONS)
    assert asset.manifest["data"]["name"] == "unknown" and asset.manifest["run"]["id"] == ""
    found = verify(asset.save(tmp_path / "fox.png"))
    assert found.is_intact and not found.is_complete
    details = [check.detail for check in found.checks]
    assert any("files of" in detail and "match" in detail for detail in details)
    assert any("does not state what it was trained on" in detail for detail in details)


def test_a_changed_folder_breaks_the_chain_and_a_missing_one_does_not(base, tmp_path):
    (asset,) = load(base).generate("a fox", options=OPTIONS)
    file = asset.save(tmp_path / "fox.png")
    settings = base / "scheduler" / "scheduler_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"beta_end": 0.02}))
    broken = verify(file)
    assert not broken.is_intact and "scheduler_config.json" in broken.first_broken.detail
    settings.unlink()
    assert "missing file" in verify(file).first_broken.detail
    shutil.rmtree(base)
    assert verify(file).is_intact


def test_the_same_files_have_one_hash_wherever_they_are(base, pipelines):
    assert load(base).hash == load(pipelines("stable_diffusion")).hash
    assert load(pipelines("stable_diffusion_2")).hash != load(base).hash


def test_a_folder_of_others_is_left_as_it_is(base, tmp_path):
    before = sorted(path.name for path in base.rglob("*"))
    model = load(base)
    model.generate("a fox", options=OPTIONS)
    with pytest.raises(UnsupportedError, match="in the format of diffusers already"):
        export_artifact(model.artifact, to="onnx", folder=tmp_path / "out")
    assert sorted(path.name for path in base.rglob("*")) == before
