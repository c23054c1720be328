"""A model comes back from the disk bit for bit, whole or not at all."""

import json

import pytest
import torch
from tiny_models import END, TinyText, TinyTextConfig, save_tiny_image, save_tiny_text

from makar.artifacts import artifact
from makar.artifacts import save as saving
from makar.artifacts.folders import recover
from makar.artifacts.load import load_artifact
from makar.artifacts.save import read_report, update_artifact_report
from makar.errors import ArtifactError, ConfigError, OutOfSpaceError, UnknownNameError, UsageError
from makar.home import models_folder
from makar.nn import device


def test_tensors_codec_and_recipe_come_back(text_artifact):
    opened = load_artifact("poe")
    fresh = TinyText(TinyTextConfig())
    fresh.initialise(torch.Generator().manual_seed(0))
    assert torch.equal(opened.family().table.weight, fresh.table.weight)
    assert opened.codec().note == b"learned"
    assert opened.recipe == text_artifact.recipe
    assert opened.recipe.stages[0].family == TinyTextConfig()
    assert opened.hash == text_artifact.hash
    assert END == 256


def test_codec_and_family_are_built_once(text_artifact):
    assert text_artifact.codec() is text_artifact.codec()
    assert text_artifact.family() is text_artifact.family()


def test_the_family_works_on_the_device_and_can_be_fetched_back(text_artifact, monkeypatch):
    def places(family):
        return {tensor.device.type for tensor in family.state_dict().values()}

    assert places(text_artifact.family()) == {device.working_device().type}
    assert places(load_artifact("poe").family("cpu")) == {"cpu"}
    # A device that every build of torch has stands for the one that this machine may lack.
    monkeypatch.setattr(artifact, "working_device", lambda: torch.device("meta"))
    assert places(load_artifact("poe").family()) == {"meta"}


def test_the_working_device_is_cuda_where_there_is_one(monkeypatch):
    for is_there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda is_there=is_there: is_there)
        assert device.working_device() == torch.device(kind)


def test_unknown_name_proposes_the_nearest(text_artifact):
    with pytest.raises(UnknownNameError) as caught:
        load_artifact("po")
    assert caught.value.nearest == "poe"


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ArtifactError, match="no saved model"):
        load_artifact(tmp_path / "photos")


def test_saving_replaces_a_model_but_nothing_else(own_home, text_artifact, tmp_path):
    path = text_artifact.path
    again = save_tiny_text(path, steps=7)
    assert again.hash != text_artifact.hash
    assert load_artifact(path).header["training"]["steps"] == 7
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="exists"):
        save_tiny_text(tmp_path / "photos")
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["me.jpg"]
    assert [folder.name for folder in models_folder().iterdir()] == ["poe"]


@pytest.mark.parametrize("number", [28, 122])
def test_a_full_disk_leaves_the_old_model_and_nothing_else(text_artifact, monkeypatch, number):
    def full(path, tensors):
        path.write_bytes(b"half")
        raise OSError(number, "full")

    monkeypatch.setattr(saving, "write_tensors", full)
    with pytest.raises(OutOfSpaceError):
        save_tiny_text(text_artifact.path, steps=9)
    assert load_artifact(text_artifact.path).hash == text_artifact.hash
    assert [folder.name for folder in models_folder().iterdir()] == ["poe"]


def test_a_model_that_stepped_aside_when_the_machine_died_is_put_back(text_artifact):
    path = text_artifact.path
    path.rename(path.with_name(f".{path.name}.replaced"))
    assert load_artifact("poe").hash == text_artifact.hash
    recover(path)
    assert path.is_dir()


def test_a_place_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="cannot be written"):
        save_tiny_text(tmp_path / "file" / "model")


def test_saving_needs_a_run_and_a_fingerprint(text_artifact, tmp_path):
    arguments = {"recipe": text_artifact.recipe, "codec": text_artifact.codec(), "family": text_artifact.family()}
    with pytest.raises(ConfigError, match="run"):
        saving.save_artifact(tmp_path / "m", **arguments, training={}, data={"fingerprint": "ab"})
    with pytest.raises(ConfigError, match="fingerprint"):
        saving.save_artifact(tmp_path / "m", **arguments, training={"run": ""}, data={})
    assert not (tmp_path / "m").exists()


def test_the_path_of_the_data_does_not_travel(text_artifact, tmp_path):
    saved = saving.save_artifact(
        tmp_path / "m",
        recipe=text_artifact.recipe,
        codec=text_artifact.codec(),
        family=text_artifact.family(),
        training={"run": ""},
        data={"fingerprint": "cd" * 32, "path": "/data/somebody/diary"},
    )
    for file in saved.path.rglob("*"):
        assert not file.is_file() or b"somebody" not in file.read_bytes()


def test_a_report_goes_onto_the_card_without_changing_the_identity(text_artifact):
    assert read_report(text_artifact) is None
    scores = {"bits_per_byte": {"value": 1.5, "low": 1.4, "high": 1.6}, "distinct": 0.25}
    updated = update_artifact_report(text_artifact, {"scores": scores})
    assert updated.hash == text_artifact.hash
    assert read_report(updated) == {"scores": scores}
    assert "1.5 (1.4 to 1.6)" in (updated.path / "README.md").read_text()
    assert torch.equal(updated.family().table.weight, text_artifact.family().table.weight)


def test_the_card_says_what_is_known_and_what_is_not(own_home):
    energy = {"low": 0.001, "central": 0.002, "high": 0.004, "method": "assumed power"}
    saved = save_tiny_text(own_home / "models" / "x", seconds=61.2, energy_kwh=energy)
    card = (saved.path / "README.md").read_text()
    front = card.split("---")[1]
    assert json.loads(front.split("license_name: ")[1].splitlines()[0]) == "CC0-1.0 AND NOASSERTION"
    assert "61 s" in card
    assert "0.001 to 0.004 kWh" in card
    assert "Not measured yet" in card
    assert "| machine | unknown |" in card
    assert "## Limits" in card


def test_images_of_one_channel_save_too(own_home):
    assert save_tiny_image(own_home / "models" / "grey", channels=1).family().config.channels == 1


def test_a_newer_schema_is_named(text_artifact, monkeypatch):
    header = json.loads((text_artifact.path / "makar.json").read_text())
    header["schema"] = 99
    from makar.artifacts.artifact import read_header

    (text_artifact.path / "makar.json").write_text(json.dumps(header))
    with pytest.raises(ArtifactError, match="schema 99"):
        read_header(text_artifact.path)


def test_saved_files_can_be_read_by_others_and_the_key_cannot(text_artifact, own_home):
    assert text_artifact.path.stat().st_mode & 0o055
    assert (own_home / "keys" / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert (own_home / "keys").stat().st_mode & 0o777 == 0o700
    assert [folder.name for folder in (own_home / "models").iterdir()] == ["poe"]


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_no_folder(name):
    with pytest.raises(ArtifactError, match="name of the model is empty"):
        load_artifact(name)
