"""Folders of others that must not be opened are refused, with what is wrong and what to do."""

import json
import shutil

import pytest
import safetensors.torch

from makar.api.model import load
from makar.errors import ArtifactError, MakarError, TensorMismatchError, UsageError


@pytest.fixture
def copy(checkpoints, tmp_path):
    """Return a function that gives a copy of a checkpoint that may be changed."""
    return lambda name: shutil.copytree(checkpoints(name), tmp_path / name)


def restate(folder, **changes):
    """Change settings of a folder; ``None`` takes one away."""
    values = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    (folder / "config.json").write_text(
        json.dumps({k: v for k, v in values.items() if v is not None}), encoding="utf-8"
    )


def test_pickles_are_not_read(copy):
    folder = copy("gpt2")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin, and pickles run code") as caught:
        load(folder)
    assert "safe_serialization" in caught.value.do
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ArtifactError, match="no weights"):
        load(folder)


def test_code_is_not_run(copy):
    folder = copy("gpt2")
    (folder / "modeling_gpt2.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"modeling_gpt2\.py"):
        load(folder)


def test_settings_that_the_class_does_not_state_are_left_out(copy):
    folder = copy("gpt2")
    before = load(folder).generate("a", options={"max_tokens": 5})[0].content
    named = {"AutoModelForCausalLM": "elsewhere--modeling.Evil", "AutoConfig": "elsewhere--modeling.Evil"}
    restate(folder, auto_map=named, attn_implementation="elsewhere/kernel", torch_dtype="float16", surprise=[1])
    assert load(folder).generate("a", options={"max_tokens": 5})[0].content == before


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"model_type": "gpt99"}, "newer transformers"),
        ({"architectures": ["GPT2Model"]}, "is a GPT2Model"),
        ({"architectures": None}, "which class"),
        ({"model_type": None}, "what type"),
        ({"architectures": ["__import__('os')"]}, "which class"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"n_embd": "many"}, "settings"),
    ],
)
def test_what_is_no_network_for_text_is_named(changes, words, copy):
    folder = copy("gpt2")
    restate(folder, **changes)
    with pytest.raises(MakarError) as caught:
        load(folder)
    assert words in str(caught.value)


def test_a_head_without_weights_is_not_drawn(copy):
    folder = copy("classifier")
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    left = {name: tensor for name, tensor in tensors.items() if "classifier" not in name}
    safetensors.torch.save_file(left, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TensorMismatchError, match=r"classifier\.bias, classifier\.weight"):
        load(folder).predict("the rain")


def test_tensors_of_another_shape_are_refused_and_those_without_a_place_are_named(copy):
    folder = copy("gpt2")
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    safetensors.torch.save_file(
        {**tensors, "transformer.extra": tensors["transformer.ln_f.bias"].clone()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert load(folder).artifact.family().computing["unused_tensors"] == ["transformer.extra"]
    restate(folder, n_embd=32)
    with pytest.raises(ArtifactError, match="cannot be opened as a GPT2LMHeadModel"):
        load(folder).generate("a")


def test_weights_in_parts_open_and_a_missing_part_is_named(copy):
    folder = copy("gpt2")
    whole = load(folder).generate("a", options={"max_tokens": 5})[0].content
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    names = sorted(tensors)
    parts = {"model-1.safetensors": names[:5], "model-2.safetensors": names[5:]}
    for file, listed in parts.items():
        safetensors.torch.save_file({name: tensors[name] for name in listed}, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {name: file for file, listed in parts.items() for name in listed}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert load(folder).generate("a", options={"max_tokens": 5})[0].content == whole
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(ArtifactError, match="lacks 1 of 2 files of weights: model-2"):
        load(folder)
    index["weight_map"][names[0]] = "../outside.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ArtifactError, match="no usable files"):
        load(folder)


def test_a_folder_without_a_tokenizer_is_refused(copy):
    folder = copy("gpt2")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ArtifactError, match="tokenizer"):
        load(folder).generate("a")


def test_pipelines_and_models_of_our_own_are_no_checkpoints(pipelines, checkpoints):
    assert load(pipelines("stable_diffusion")).medium == "image"
    with pytest.raises(UsageError, match="no adapter"):
        load(checkpoints("gpt2"), loras=["x.safetensors"])
