"""What must not be opened is refused before it is opened, with what to do."""

import json
import shutil

import pytest

from makar.artifacts.load import load_artifact
from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.folder import read_folder


@pytest.fixture
def copy(pipelines, tmp_path):
    """Return a copy of a folder that may be damaged."""
    return shutil.copytree(pipelines("stable_diffusion"), tmp_path / "copy")


def index(folder, **changes):
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_only_what_is_read_is_listed(copy):
    (copy / "README.md").write_text("hello")
    (copy / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"never opened")
    looked = read_folder(copy)
    assert "unet/diffusion_pytorch_model.safetensors" in looked.files and "model_index.json" in looked.files
    assert not any(name.endswith((".bin", ".md")) for name in looked.files)
    assert load_artifact(copy).manifest["files"].keys() == set(looked.files)


def test_pickles_are_refused_with_what_to_do(copy):
    (copy / "unet" / "diffusion_pytorch_model.safetensors").rename(copy / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ArtifactError, match="pickle") as caught:
        load_artifact(copy)
    assert "safe_serialization" in caught.value.do


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"_class_name": ["pipeline.py", "Mine"]}, "class"),
        ({"_class_name": "os.system"}, "class"),
        ({"unet": ["my_module", "Mine"]}, "my_module"),
        ({"unet": ["diffusers", "a.b"]}, "unet"),
        ({"safety_checker": ["stable_diffusion", "Other"]}, "stable_diffusion"),
        ({"../unet": ["diffusers", "UNet2DConditionModel"]}, "unet"),
        ({"extra": ["diffusers", "UNet2DConditionModel"]}, "lacks"),
    ],
)
def test_code_of_others_is_refused(copy, changes, said):
    index(copy, **changes)
    with pytest.raises(ArtifactError, match=said):
        load_artifact(copy)


def test_code_in_the_folder_is_refused(copy):
    (copy / "unet" / "model.py").write_text("print('hello')")
    with pytest.raises(ArtifactError, match=r"model\.py"):
        load_artifact(copy)


def test_a_missing_component_is_named(copy):
    shutil.rmtree(copy / "vae")
    with pytest.raises(ArtifactError, match='"vae"'):
        load_artifact(copy)
    (copy / "vae").mkdir()
    (copy / "vae" / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="no weights"):
        load_artifact(copy)


def test_what_makes_neither_images_nor_sounds_nor_video_is_refused(copy):
    index(copy, _class_name="ShapEPipeline")
    with pytest.raises(UnsupportedError, match="ShapEPipeline"):
        load_artifact(copy)


def test_what_only_names_a_pipeline_of_sounds_is_refused(copy):
    index(copy, _class_name="StableAudioPipeline")
    with pytest.raises(ArtifactError, match="samples a second"):
        load_artifact(copy)


def test_a_network_with_other_inputs_is_refused(copy):
    path = copy / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"in_channels": 8}))
    with pytest.raises(UnsupportedError, match="8 channels"):
        load_artifact(copy)


def test_half_precision_is_taken_where_there_is_no_other(copy):
    plain = load_artifact(copy).recipe.stages[-1].family
    for name in ("unet", "vae"):
        path = next((copy / name).glob("*.safetensors"))
        path.rename(path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    looked = read_folder(copy)
    assert looked.variant == "fp16" and "unet/diffusion_pytorch_model.fp16.safetensors" in looked.files
    artifact = load_artifact(copy)
    assert artifact.recipe.stages[-1].family.denoiser_weights == plain.denoiser_weights
    assert artifact.family() is not None


def test_a_single_file_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"x")
    with pytest.raises(UnsupportedError, match="single file") as caught:
        load_artifact(tmp_path / "model.ckpt")
    assert "from_single_file" in caught.value.do
