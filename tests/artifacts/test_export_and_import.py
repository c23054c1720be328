"""A model goes out in a standard form, gives the same numbers there, and comes back as the same model."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch
from tiny_models import save_tiny_image

from makar.artifacts import export_onnx
from makar.artifacts.export import export_artifact
from makar.artifacts.importing import import_artifact
from makar.artifacts.load import load_artifact
from makar.errors import (
    ArtifactError,
    MissingExtraError,
    TensorMismatchError,
    UnknownNameError,
    UnsupportedError,
    UsageError,
)
from makar.generation.generate import generate
from makar.provenance.chain import verify


@pytest.fixture(scope="module")
def onnx_export(tmp_path_factory):
    """One export for several tests, because torch's exporter is slow."""
    return tmp_path_factory.mktemp("onnx") / "cats-onnx"


@pytest.fixture
def exported(onnx_export, image_artifact, tmp_path):
    if not onnx_export.exists():
        export_artifact(image_artifact, to="onnx", folder=onnx_export)
    shutil.copytree(onnx_export, tmp_path / "exported")
    return tmp_path / "exported"


def test_onnx_gives_the_same_numbers_to_anybody(exported, image_artifact):
    description = json.loads((exported / "onnx.json").read_text())
    (part,) = description["parts"]
    assert [entry["axes"] for entry in part["inputs"]] == [["batch", 8], ["batch"]]
    assert part["largest_difference"] <= 1e-4
    session = onnxruntime.InferenceSession(exported / part["file"], providers=["CPUExecutionProvider"])
    noise, number = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32), np.arange(5) % 3
    (pixels,) = session.run(None, {"noise": noise, "number": number})
    expected = image_artifact.family()(torch.from_numpy(noise), torch.from_numpy(number)).detach().numpy()
    assert np.abs(pixels - expected).max() <= 1e-4


def test_onnx_comes_back_with_its_identity(exported):
    back = import_artifact(exported, output="again")
    origin = json.loads((exported / "provenance.json").read_text())["manifest"]
    assert back.manifest == origin
    assert verify(back.path).is_intact
    assert next(generate(back, prompts="fox")).content.shape == (8, 8, 3)


def test_an_onnx_file_that_gives_other_numbers_is_refused(exported):
    tensors = safetensors.torch.load_file(exported / "model.safetensors")
    tensors["draw.weight"] *= 1.01
    safetensors.torch.save_file(tensors, exported / "model.safetensors")
    with pytest.raises(ArtifactError, match="differs by"):
        import_artifact(exported, output="again")
    (exported / "generator.onnx").write_bytes(b"junk")
    with pytest.raises(ArtifactError, match="cannot be run"):
        import_artifact(exported, output="again")
    (exported / "generator.onnx").unlink()
    with pytest.raises(ArtifactError, match="cannot be run"):
        import_artifact(exported, output="again")


def test_an_export_that_would_be_wrong_is_not_left_behind(image_artifact, tmp_path, monkeypatch):
    monkeypatch.setattr(export_onnx, "TOLERANCE", -1.0)
    with pytest.raises(ArtifactError, match="differs"):
        export_artifact(image_artifact, to="onnx", folder=tmp_path / "o")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_text_in_the_form_of_transformers_comes_back_the_same(text_artifact, tmp_path):
    folder = export_artifact(text_artifact, to="transformers", folder=tmp_path / "poe-hf")
    assert {"config.json", "model.safetensors", "README.md"} <= {path.name for path in folder.iterdir()}
    back = import_artifact(folder, output="poe2")
    assert back.hash == text_artifact.hash
    assert back.path.name == "poe2"
    assert [asset.content for asset in generate(back)] == [asset.content for asset in generate(text_artifact)]


def test_weights_trained_on_elsewhere_come_back_as_a_new_model(text_artifact, tmp_path):
    folder = export_artifact(text_artifact, to="transformers", folder=tmp_path / "hf")
    tensors = {"table.weight": torch.zeros(257, 257)}
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    back = import_artifact(folder, output="other")
    assert back.hash != text_artifact.hash
    assert back.header["training"]["imported"]["format"] == "transformers"
    assert back.run == ""
    assert torch.equal(back.family().table.weight, tensors["table.weight"])
    statuses = {(check.link, check.name): check.status for check in verify(back.path).checks}
    assert statuses["run", "found"] == "unknown"


def test_a_partial_match_is_refused_with_the_list(text_artifact, tmp_path):
    folder = export_artifact(text_artifact, to="transformers", folder=tmp_path / "hf")
    extra = {"table.weight": torch.zeros(257, 257), "adapter.weight": torch.zeros(2)}
    safetensors.torch.save_file(extra, folder / "model.safetensors")
    with pytest.raises(TensorMismatchError, match=r"adapter\.weight"):
        import_artifact(folder, output="other")
    safetensors.torch.save_file({"table.weight": torch.zeros(257, 257)}, folder / "model.safetensors")
    safetensors.torch.save_file({"table.weight": torch.zeros(257, 257)}, folder / "model-2.safetensors")
    with pytest.raises(ArtifactError, match="repeats"):
        import_artifact(folder, output="other")
    with pytest.raises(UnknownNameError):
        load_artifact("other")


def test_settings_that_were_changed_elsewhere_are_refused(text_artifact, tmp_path):
    folder = export_artifact(text_artifact, to="transformers", folder=tmp_path / "hf")
    (folder / "config.json").write_text('{"model_type": "other", "transformers_version": "5"}')
    with pytest.raises(ArtifactError, match="model_type"):
        import_artifact(folder, output="other")


def test_what_cannot_be_exported_or_imported_is_refused_with_what_can(text_artifact, image_artifact, tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        export_artifact(image_artifact, to="transformers", folder=tmp_path / "x")
    assert "--to onnx" in caught.value.do
    with pytest.raises(UnknownNameError) as caught:
        export_artifact(image_artifact, to="onxx", folder=tmp_path / "x")
    assert caught.value.nearest == "onnx"
    with pytest.raises(UsageError, match="already a model"):
        import_artifact(text_artifact.path, output="x")
    with pytest.raises(UsageError, match="no folder"):
        import_artifact(tmp_path / "x", output="x")
    (tmp_path / "foreign").mkdir()
    with pytest.raises(ArtifactError, match=r"makar\.json"):
        import_artifact(tmp_path / "foreign", output="x")
    with pytest.raises(UsageError, match="exists"):
        export_artifact(text_artifact, to="transformers", folder=image_artifact.path)
    folder = export_artifact(text_artifact, to="transformers", folder=tmp_path / "hf")
    with pytest.raises(UsageError, match="exists"):
        import_artifact(folder, output="cats")


def test_an_absent_package_names_the_command(image_artifact, tmp_path, monkeypatch):
    real = export_onnx.importlib.util.find_spec
    monkeypatch.setattr(
        export_onnx.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else real(name)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'makar\[onnx\]'"):
        export_artifact(image_artifact, to="onnx", folder=tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_damaged_model_is_not_exported(own_home, tmp_path):
    artifact = save_tiny_image(own_home / "models" / "m")
    path = artifact.path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtifactError):
        export_artifact(artifact, to="onnx", folder=tmp_path / "x")
