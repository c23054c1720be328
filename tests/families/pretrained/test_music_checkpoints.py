"""Sounds of what is described, by checkpoints and pipelines of others, are those of their libraries for the same seed."""

import json

import diffusers
import numpy as np
import pytest
import torch
import transformers

from makar.api.model import load, verify
from makar.errors import ArtifactError, IntegrityError, UnsupportedError
from makar.families.family import build_family
from makar.families.pretrained.opening import quiet
from makar.serving.places import place_of
from tests.cli.small_models import see
from tests.families.pretrained.tiny_sounds import RATE, Saved, save

TEXT = "rain"


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("music")
    return Saved(place, mono=("musicgen", {}), stereo=("musicgen", {"channels": 2}))


def made(folder, text=TEXT, *, seed=0, **options):
    (asset,) = load(folder).generate(text, seed=seed, options={"seconds": 0.5, **options})
    return asset


@pytest.mark.parametrize("name, text", [("mono", TEXT), slow("stereo", TEXT), slow("mono", None)])
def test_a_musicgen_makes_what_it_makes_in_transformers(folders, name, text):
    asset = made(folders[name], text, seed=4)
    with quiet(), torch.inference_mode():
        network = transformers.MusicgenForConditionalGeneration.from_pretrained(folders[name]).eval()
        given = network.get_unconditional_inputs(num_samples=1)
        if text is not None:
            given = transformers.AutoTokenizer.from_pretrained(folders[name])(text, return_tensors="pt")
        torch.manual_seed(4)
        # 25 moments of 20 ms, and one step more for each stream but the first.
        wanted = network.generate(**given, max_new_tokens=28, do_sample=True, top_k=250)[0].numpy().T
    channels = 2 if name == "stereo" else 1
    assert asset.content.samples.shape == (RATE // 2, channels) == wanted.shape
    wanted = wanted / max(1.0, np.abs(wanted).max())
    assert np.abs(asset.content.samples - wanted).max() <= 1 / 32768 + 1e-6 and np.abs(wanted).max() > 0.01


@pytest.mark.slow
def test_length_seed_words_and_controls_matter(folders):
    usual = made(folders["mono"]).content.samples
    assert made(folders["mono"], seconds=0.3).content.samples.shape == (4800, 1)
    others = [{"seed": 1}, {"guidance": 10.0}, {"temperature": 3.0}, {"top_k": 2}, {"top_p": 0.2}, {"temperature": 0.0}]
    for options in others:
        assert not np.array_equal(usual, made(folders["mono"], **options).content.samples), options
    assert not np.array_equal(usual, made(folders["mono"], "sun").content.samples)


@pytest.mark.slow
def test_what_it_cannot_do_is_said(folders, tmp_path):
    with pytest.raises(UnsupportedError, match="600 seconds"):
        made(folders["mono"], seconds=600.0)
    with pytest.raises(UnsupportedError, match="without a description"):
        made(folders["mono"], None, guidance=3.0)
    with pytest.raises(UnsupportedError, match="steps"):
        made(folders["mono"], steps=3)
    with quiet():
        folder = save("musicgen", tmp_path / "changed")
    settings = json.loads((folder / "config.json").read_text())
    settings["audio_encoder"]["upsampling_ratios"] = [0]
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ArtifactError, match="how long a moment"):
        load(folder)


@pytest.mark.slow
def test_the_shell_makes_a_file_that_verifies(folders, tmp_path):
    see("generate", folders["stereo"], TEXT, "-o", tmp_path / "x.wav", "--set", "seconds=0.4", "--guidance", "2")
    assert verify(tmp_path / "x.wav").is_intact
    manifest = json.loads((tmp_path / "x.wav.makar.json").read_text(encoding="utf-8"))["manifest"]
    assert manifest["settings"]["guidance"] == 2.0 and manifest["prompt"] == TEXT
    assert "Musicgen" in see("import", folders["mono"], "-o", tmp_path / "mine", code=2).messages


@pytest.mark.slow
@pytest.mark.parametrize("name, seconds, rate", [("audio_ldm", 0.4, 16_000), ("stable_audio", 0.15, 8000)])
def test_a_pipeline_of_sound_makes_what_it_makes_in_diffusers(pipelines, name, seconds, rate, tmp_path):
    folder, asked = pipelines(name), {"steps": 2, "guidance": 3.0, "negative_prompt": "noise"}
    asset = made(folder, "a bell", seed=2, **asked | {"seconds": seconds})
    with quiet(), torch.inference_mode():
        kind = {"audio_ldm": diffusers.AudioLDMPipeline, "stable_audio": diffusers.StableAudioPipeline}[name]
        pipeline = kind.from_pretrained(folder)
        length = {"audio_ldm": "audio_length_in_s", "stable_audio": "audio_end_in_s"}[name]
        wanted = pipeline(
            "a bell",
            negative_prompt="noise",
            num_inference_steps=2,
            guidance_scale=3.0,
            generator=torch.Generator().manual_seed(2),
            **{length: seconds},
        ).audios[0]
    wanted = np.asarray(wanted, np.float32).reshape(2 if name == "stable_audio" else 1, -1).T
    wanted = wanted[: len(asset.content.samples)]
    assert asset.content.rate_hz == rate and abs(len(wanted) / rate - seconds) < 0.01
    scale = max(1.0, np.abs(wanted).max())
    assert np.abs(asset.content.samples - wanted / scale).max() <= 1 / 32768 + 1e-6 and np.abs(wanted).max() > 1e-4
    other = made(folder, "a dog", seed=2, **asked | {"seconds": seconds}).content.samples
    assert not np.array_equal(other, asset.content.samples)
    assert verify(asset.save(tmp_path / "x.wav")).is_intact


@pytest.mark.slow
def test_what_a_pipeline_of_sound_cannot_do_is_said(pipelines):
    folder = pipelines("stable_audio")
    with pytest.raises(UnsupportedError, match="without words"):
        made(folder, None)
    with pytest.raises(UnsupportedError, match="StableAudioPipeline cannot do this"):
        made(folder, "rain", seconds=30.0, steps=2)
    with pytest.raises(UnsupportedError, match="tokens"):
        made(folder, "a bell " * 40)
    with pytest.raises(UnsupportedError, match="above 1"):
        made(folder, "a bell", guidance=1.0, negative_prompt="noise")
    with pytest.raises(UnsupportedError, match="ControlNet for a StableAudioPipeline"):
        load(folder, controlnet=folder)


@pytest.mark.slow
def test_a_configuration_that_describes_another_folder_is_found(folders, pipelines):
    config = load(folders["stereo"]).artifact.family_config
    assert (config.streams, config.hop, config.moments) == (4, 320, 256) and config.longest_seconds == pytest.approx(
        5.04
    )
    for field, value in {"streams": 2, "hop": 1, "moments": 9, "channels": 1, "rate_hz": 8000, "weights": 1}.items():
        with pytest.raises(IntegrityError, match="says of its base"):
            build_family(config.changed(**{field: value}))
    of_pipeline = load(pipelines("stable_audio")).artifact.family_config
    for field, value in {"architecture": "x", "channels": 1, "rate_hz": 16_000, "weights": 1}.items():
        with pytest.raises(IntegrityError, match="describes another"):
            build_family(of_pipeline.changed(**{field: value}))
    engines = [
        (place.medium, place.engine)
        for place in map(place_of, map(str, (folders["stereo"], pipelines("stable_audio"))))
    ]
    assert engines == [("sound", "transformers"), ("sound", "diffusers")]
    for one in (config, of_pipeline):
        with pytest.raises(ArtifactError, match="not on this machine"):
            build_family(one.changed(base="0" * 64))
