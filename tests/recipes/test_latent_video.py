"""Clips are learned in the latents of an autoencoder of their frames, in one command: people who walk and fight, of real drawings."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import makar
from makar.codecs.latent import LatentCodec
from makar.data.clip import Clip
from makar.data.video_file import video_bytes
from makar.data.video_reader import read_clip
from makar.errors import UnsupportedError
from makar.tensor_spec import TARGET
from tests.cli.small_models import see

FRAMES = 4
SETTINGS = [
    word
    for text in (
        *(f"stages.0.codec.{name}=16" for name in ("height", "width")), f"stages.0.codec.frames={FRAMES}",
        *(f"stages.1.codec.base.{name}=16" for name in ("height", "width")), f"stages.1.codec.base.frames={FRAMES}",
        "stages.0.family.features=16", "stages.1.family.features=16", "stages.1.family.blocks=1",
    )
    for word in ("--set", text)
]  # fmt: skip


def drawn(layers, character, action):
    """Return a clip of 16 pixels: the layers of a person over each other on black."""
    canvas = np.zeros((8, 64, 64, 3))
    for name, variant in (("body", character), ("shoes", 0), ("bottomwear", 1), ("topwear", 2), ("hair", character)):
        layer = layers[name][variant, action].astype(np.float64)
        alpha = layer[..., 3:] / 255
        canvas = alpha * layer[..., :3] + (1 - alpha) * canvas
    small = canvas.reshape(8, 16, 4, 16, 4, 3).mean((2, 4))
    return Clip(np.rint(small).astype(np.uint8), 8.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    data = Path(os.environ.get("MAKAR_DATA", "")) / "sprites_video" / "sprite_layers.npz"
    if not data.exists():
        pytest.skip("sprites_video is not here")
    folder = tmp_path_factory.mktemp("sprites")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    (folder / "data").mkdir()
    with np.load(data, allow_pickle=False) as layers:
        actions = [str(name).replace("_", " ") for name in layers["sequence_names"]]
        for number in range(24):
            character, action = number % 6, number % 9
            file = folder / "data" / f"{number}.apng"
            file.write_bytes(video_bytes(drawn(layers, character, action), "apng", comment=""))
            file.with_suffix(".txt").write_text(f"person {character} {actions[action]}", encoding="utf-8")
    see("train", folder / "data", "--recipe", "latent-video-text", "--steps", "6", *SETTINGS, "-o", "walkers")
    patch.undo()
    return folder


def test_clips_are_made_in_latents_of_their_frames(place, tmp_path):
    model = makar.load("walkers")
    codec = model.artifact.codec()
    assert isinstance(codec, LatentCodec) and codec.spec[TARGET].frames == FRAMES
    assert codec.spec[TARGET].sizes == (4 * FRAMES, 4, 4) and codec.plain.spec[TARGET].sizes == (3 * FRAMES, 16, 16)
    see("generate", "walkers", "person 1 walk front", "--seed", "3", "--steps", "2", "-o", "walk.apng")
    first, again, other = (
        model.generate("person 1 walk front", seed=seed, options={"steps": 2})[0].content.frames for seed in (3, 3, 4)
    )
    assert first.shape == (FRAMES, 16, 16, 3) and np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(read_clip((tmp_path / "walk.apng").read_bytes(), most_frames=64).frames[..., :3], first)


def test_what_is_known_of_a_clip_stays_and_the_rest_is_made(place):
    file = place / "data" / "3.apng"
    known = read_clip(file.read_bytes(), most_frames=64).frames[..., :3]
    model = makar.load("walkers")
    (gone_on,) = model.edit(file, how={"go_on": True}, options={"steps": 2})
    assert np.array_equal(gone_on.content.frames[: len(known)], known)
    assert len(gone_on.content.frames) == len(known) + FRAMES // 2
    (boxed,) = model.edit(file, how={"box": (4, 4, 9, 9)}, options={"steps": 2})
    outside = np.ones((16, 16), bool)
    outside[4:9, 4:9] = False
    assert np.array_equal(boxed.content.frames[:, outside], known[:, outside])
    assert not np.array_equal(boxed.content.frames, known)
    short = Clip(known[:FRAMES], 8.0)
    near, far = (model.edit(short, options={"strength": strength, "steps": 4})[0].content.frames for strength in (0, 1))
    # Strength 0 shows what the autoencoder makes of the clip, 1 does not look at it.
    rebuilt, other = (np.abs(made.astype(float) - short.frames).mean() for made in (near, far))
    assert rebuilt < other


def test_the_denoiser_is_planned_for_the_latents_of_all_frames(place):
    first, second = makar.plan(place / "data", recipe="latent-video", steps=2, probe=False).recipe.stages
    assert first.codec == second.codec.base and (first.family.frames, first.family.channels) == (8, 3)
    latents = first.family.latents()
    assert latents.frames == second.family.frames == 8
    assert (second.family.channels, second.family.height, second.family.width) == latents.sizes == (32, 4, 4)


def test_without_captions_nothing_is_trained_before_that_is_said(place, tmp_path):
    for number in range(4):
        shutil.copy(place / "data" / f"{number}.apng", tmp_path)
    with pytest.raises(UnsupportedError, match="needs captions"):
        makar.plan(tmp_path, recipe="latent-video-text", steps=2, probe=False)


@pytest.mark.slow
def test_a_latent_model_of_clips_is_measured(place):
    report = see("evaluate", "walkers", "-o", "report", "--json").values
    assert {"between_psnr", "next_psnr", "box_flicker"} <= set(report["scores"])
