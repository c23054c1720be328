"""LoRA files come in three layouts and go out in two; a file that fits in part is refused with the keys that do not."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch

from makar.artifacts.export import export_artifact
from makar.artifacts.load import load_artifact
from makar.errors import ArtifactError, IntegrityError, TensorMismatchError, UnsupportedError, UsageError
from makar.families.pretrained.lora_keys import layout_of
from makar.families.pretrained.unet_names import original_name
from makar.generation.generate import generate
from tests.families.pretrained.test_adapter import save

OPTIONS = {"steps": 2}


@pytest.fixture
def adapter(adapted, tmp_path):
    """Return a function from the name of a pipeline to a saved adapter of it whose matrices are not zero."""

    def made(name="stable_diffusion"):
        return save(adapted(name, strength=0.3, alpha=3.0, targets="transformer"), tmp_path / f"adapter-{name}")

    return made


def drawn(artifact, prompt="a fox"):
    (asset,) = generate(artifact, prompts=prompt, options=OPTIONS)
    return asset


def same(one, other):
    return np.abs(one.content.astype(int) - other.content).max() <= 1


@pytest.mark.parametrize(
    "name, layout",
    [
        ("stable_diffusion", "kohya"),
        ("stable_diffusion_xl", "peft"),
        ("stable_diffusion_3", "diffusers"),
        *(
            pytest.param(name, layout, marks=pytest.mark.slow)
            for name, layout in (
                ("stable_diffusion", "diffusers"),
                ("stable_diffusion", "peft"),
                ("stable_diffusion_xl", "diffusers"),
                ("stable_diffusion_xl", "kohya"),
                ("stable_diffusion_3", "kohya"),
                ("stable_diffusion_3", "peft"),
            )
        ),
    ],
)
def test_a_file_of_every_layout_gives_what_the_adapter_gives(name, layout, adapter, pipelines, tmp_path):
    artifact = adapter(name)
    if layout == "kohya" and name == "stable_diffusion_3":
        with pytest.raises(UnsupportedError, match="kohya"):
            export_artifact(artifact, to="kohya", folder=tmp_path / "out")
        return
    file = artifact.path
    if layout != "peft":
        (file,) = export_artifact(artifact, to=layout, folder=tmp_path / "out").iterdir()
        assert layout_of(safetensors.torch.load_file(file)) == layout
    own = drawn(artifact)
    added = drawn(load_artifact(pipelines(name), loras=[str(file)]))
    plain = drawn(load_artifact(pipelines(name)))
    assert same(own, added) and not same(own, plain)


def test_diffusers_opens_what_is_exported(adapter, pipelines, tmp_path):
    from diffusers import StableDiffusionPipeline

    from makar.families.pretrained.opening import quiet

    artifact = adapter()
    images = []
    for layout in ("diffusers", "kohya"):
        (file,) = export_artifact(artifact, to=layout, folder=tmp_path / layout).iterdir()
        with quiet():
            pipeline = StableDiffusionPipeline.from_pretrained(pipelines("stable_diffusion"))
            pipeline.set_progress_bar_config(disable=True)
            pipeline.load_lora_weights(str(file))
            made = pipeline(
                "a fox", generator=[torch.Generator().manual_seed(0)], num_inference_steps=2, output_type="np"
            )
        images.append(np.rint(made.images[0] * 255))
    own = drawn(artifact).content
    assert all(np.abs(image - own).max() <= 1 for image in images)


def test_the_scale_counts_and_the_manifest_names_the_file(adapter, pipelines):
    file = adapter().path
    half, full, none = (
        load_artifact(pipelines("stable_diffusion"), loras=[f"{file}:{scale}"]) for scale in (0.5, 1, 0)
    )
    assert not same(drawn(half), drawn(full))
    assert same(drawn(none), drawn(load_artifact(pipelines("stable_diffusion"))))
    assert half.hash != full.hash
    (entry,) = half.manifest["added"]["loras"]
    assert entry.endswith(":0.5") and drawn(half).manifest["artifact"]["hash"] == half.hash


def test_two_files_add_up(adapter, pipelines):
    file = adapter().path
    twice = load_artifact(pipelines("stable_diffusion"), loras=[f"{file}:0.5", f"{file}:0.5"])
    assert same(drawn(twice), drawn(load_artifact(pipelines("stable_diffusion"), loras=[str(file)])))


def test_a_partial_match_is_refused_with_the_keys(adapter, pipelines, tmp_path):
    (file,) = export_artifact(adapter(), to="diffusers", folder=tmp_path / "out").iterdir()
    tensors = safetensors.torch.load_file(file)
    name = next(iter(tensors))
    broken = {
        "unet.elsewhere.to_q.lora_A.weight": torch.zeros(2, 8),
        "unet.elsewhere.to_q.lora_B.weight": torch.zeros(8, 2),
        "strange": torch.zeros(1),
    }
    for change, said in (
        (tensors | broken, "unet.elsewhere.to_q"),
        (tensors | broken, "strange"),
        ({key: value for key, value in tensors.items() if key != name}, "only one"),
        (tensors | {name: torch.zeros(2, 99)}, "99"),
        ({"strange": torch.zeros(1)}, "strange"),
    ):
        safetensors.torch.save_file(change, tmp_path / "broken.safetensors")
        with pytest.raises(TensorMismatchError, match=said):
            load_artifact(pipelines("stable_diffusion"), loras=[str(tmp_path / "broken.safetensors")]).family()


def test_a_lora_of_another_base_is_refused(adapter, pipelines):
    with pytest.raises(TensorMismatchError, match="does not fit this StableDiffusionXLPipeline"):
        load_artifact(pipelines("stable_diffusion_xl"), loras=[str(adapter().path)]).family()
    with pytest.raises(TensorMismatchError, match="no such layer"):
        load_artifact(pipelines("stable_diffusion"), loras=[str(adapter("flux").path)]).family()


def test_what_is_no_lora_is_refused(pipelines, tmp_path, adapter):
    base = pipelines("stable_diffusion")
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    (tmp_path / "a.ckpt").write_bytes(b"nothing")
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_artifact(base, loras=[str(tmp_path / "a.safetensors")]).family()
    with pytest.raises(ArtifactError, match="pickle"):
        load_artifact(base, loras=[str(tmp_path / "a.ckpt")])
    with pytest.raises(UsageError, match="no file"):
        load_artifact(base, loras=["gone.safetensors"])
    with pytest.raises(UsageError, match="no LoRA"):
        load_artifact(base, loras=["gone.safetensors:much"])
    with pytest.raises(UnsupportedError, match="an adapter for adapter-"):
        load_artifact(adapter().path, loras=["x"])
    odd = adapter("stable_diffusion_xl").path
    settings = json.loads((odd / "adapter_config.json").read_text())
    (odd / "adapter_config.json").write_text(json.dumps(settings | {"use_dora": True}))
    with pytest.raises(ArtifactError, match="use_dora"):
        load_artifact(pipelines("stable_diffusion_xl"), loras=[str(odd)]).family()


def test_earlier_names_of_diffusers_are_known(adapter, pipelines, tmp_path):
    (file,) = export_artifact(adapter(), to="diffusers", folder=tmp_path / "out").iterdir()
    tensors = safetensors.torch.load_file(file)
    # The factor alpha / rank of 1.5 goes into the second matrix: these names come without alpha.
    earlier = {
        key.replace(".lora_A.", ".lora.down.").replace(".lora_B.", ".lora.up."): value * (1.5 if "_B." in key else 1)
        for key, value in tensors.items()
    }
    safetensors.torch.save_file(earlier, tmp_path / "earlier.safetensors")
    own = drawn(load_artifact(pipelines("stable_diffusion"), loras=[str(file)]))
    assert same(own, drawn(load_artifact(pipelines("stable_diffusion"), loras=[str(tmp_path / "earlier.safetensors")])))


def test_text_encoders_and_first_names_of_kohya_are_known(pipelines, tmp_path):
    """Names as kohya writes them for XL: numbered blocks of the first code, and both text encoders."""
    base = pipelines("stable_diffusion_xl")
    draw = torch.Generator().manual_seed(0)

    def layer(outputs, inputs):
        return {
            "lora_down.weight": torch.randn(2, inputs, generator=draw),
            "lora_up.weight": torch.randn(outputs, 2, generator=draw),
            "alpha": torch.tensor(2.0),
        }

    first = original_name("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", layers_a_block=1)
    for name, shape in (
        (f"lora_unet_{first.replace('.', '_')}", (16, 16)),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", (8, 8)),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1", (16, 8)),
    ):
        path = tmp_path / f"{name}.safetensors"
        safetensors.torch.save_file({f"{name}.{key}": value for key, value in layer(*shape).items()}, path)
        assert not same(drawn(load_artifact(base, loras=[str(path)])), drawn(load_artifact(base)))


def test_a_convolution_is_changed_too(pipelines, tmp_path):
    draw = torch.Generator().manual_seed(0)
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    tensors = {
        f"{name}.lora_down.weight": torch.randn(2, 8, 3, 3, generator=draw),
        f"{name}.lora_up.weight": torch.randn(8, 2, 1, 1, generator=draw),
    }
    safetensors.torch.save_file(tensors, tmp_path / "conv.safetensors")
    base = load_artifact(pipelines("stable_diffusion"))
    changed = load_artifact(pipelines("stable_diffusion"), loras=[str(tmp_path / "conv.safetensors")])
    weights = [one.family()._denoiser.down_blocks[0].resnets[0].conv1.weight for one in (base, changed)]
    wanted = torch.einsum(
        "or,rihw->oihw", tensors[f"{name}.lora_up.weight"][:, :, 0, 0], tensors[f"{name}.lora_down.weight"]
    )
    assert torch.allclose(weights[1] - weights[0], wanted, atol=1e-5)
