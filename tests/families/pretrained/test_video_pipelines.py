"""Clips of what is described, by pipelines of others, are those of diffusers for the same seed, signed like ours."""

import json

import diffusers
import numpy as np
import pytest
import torch

from makar.api.model import load, verify
from makar.errors import ArtifactError, IntegrityError, UnsupportedError
from makar.families.family import build_family
from makar.families.pretrained.opening import quiet
from makar.serving.places import place_of
from tests.cli.small_models import see

SIZES = {"wan": {"width": 16, "height": 16, "frames": 5}, "ltx": {"width": 32, "height": 32, "frames": 9}}
KINDS = {"wan": "WanPipeline", "ltx": "LTXPipeline"}


pytestmark = pytest.mark.slow


def made(folder, name, text="a fox runs", *, seed=0, **options):
    asked = {"steps": 2, "guidance": 3.0, **SIZES[name], **options}
    (asset,) = load(folder).generate(text, seed=seed, options=asked)
    return asset


@pytest.mark.parametrize("name", SIZES)
def test_a_clip_is_that_of_diffusers(pipelines, name):
    asset = made(pipelines(name), name, seed=3, negative_prompt="blur")
    with quiet(), torch.inference_mode():
        pipeline = getattr(diffusers, KINDS[name]).from_pretrained(pipelines(name))
        wanted = pipeline(
            "a fox runs",
            negative_prompt="blur",
            num_inference_steps=2,
            guidance_scale=3.0,
            num_frames=SIZES[name]["frames"],
            width=SIZES[name]["width"],
            height=SIZES[name]["height"],
            generator=torch.Generator().manual_seed(3),
            output_type="np",
        ).frames[0]
    pixels = np.rint(np.asarray(wanted, np.float32) * 255).astype(int)
    assert asset.content.held.shape == pixels.shape == (SIZES[name]["frames"], *[SIZES[name]["width"]] * 2, 3)
    assert np.abs(asset.content.held.astype(int) - pixels).max() <= 1 and pixels.std() > 1
    other = made(pipelines(name), name, "rain", seed=3, negative_prompt="blur")
    assert not np.array_equal(other.content.held, asset.content.held)


def test_what_a_pipeline_of_video_cannot_do_is_said(pipelines):
    folder = pipelines("wan")
    with pytest.raises(UnsupportedError, match="6 frames") as caught:
        made(folder, "wan", frames=6)
    assert caught.value.expected == "5 or 9"
    with pytest.raises(UnsupportedError, match="without words"):
        made(folder, "wan", None)
    with pytest.raises(UnsupportedError, match="WanPipeline cannot do this"):
        made(folder, "wan", width=17)
    with pytest.raises(UnsupportedError, match="above 1"):
        made(folder, "wan", guidance=1.0, negative_prompt="blur")
    with pytest.raises(UnsupportedError, match="LoRA files for a WanPipeline"):
        load(folder, loras=("x.safetensors",))
    config = load(folder).artifact.family_config
    assert config.rate_hz == 16 and place_of(str(folder)).medium == "video"
    for field, value in {"architecture": "LTXPipeline", "rate_hz": 8.0, "weights": 1}.items():
        with pytest.raises(IntegrityError, match="describes another"):
            build_family(config.changed(**{field: value}))
    with pytest.raises(ArtifactError, match="not on this machine"):
        build_family(config.changed(base="0" * 64))


def test_the_shell_makes_a_film_that_verifies(pipelines, tmp_path):
    words = ["generate", pipelines("wan"), "a fox runs", "--steps", "1", "--width", "16", "--height", "16"]
    see(*words, "--set", "frames=5", "-o", tmp_path / "x.gif")
    assert verify(tmp_path / "x.gif").is_intact
    manifest = json.loads((tmp_path / "x.gif.makar.json").read_text(encoding="utf-8"))["manifest"]
    assert manifest["settings"]["frames"] == 5 and manifest["computing"]["offload"] == "none"
