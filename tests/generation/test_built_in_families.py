"""The built-in families go the whole way: saved, loaded, sampled, signed, verified, exported and brought back."""

import dataclasses

import numpy as np
import pytest
import torch

from makar.artifacts.export import export_artifact
from makar.artifacts.importing import import_artifact
from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.text_config import ByteCodecConfig, CharacterCodecConfig
from makar.data.record import Record
from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family import build_family
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.stylegan_config import StyleganConfig
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.family import TransformerFamily
from makar.generation.generate import generate
from makar.generation.stream import stream_text
from makar.provenance.chain import verify
from makar.recipe import Recipe, Stage

POEM = "It was a dark and stormy night; the rain fell in torrents. "
DATA = {"fingerprint": "ef" * 32, "name": "built-in"}


def record(content, medium, label=None):
    return Record(id="0", medium=medium, content=content, document="d", source="d", split="train", label=label)


def save(path, medium, codec_config, family_config, records):
    codec = fit_codec(codec_config, iter(records))
    bound = family_config.bound_to(codec.spec)
    family = build_family(bound)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        # Some weights start at zero, which would make every output the same and hide mistakes.
        for parameter in family.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    stage = Stage(name="model", codec=codec.config, family=bound)
    recipe = Recipe(name="test", medium=medium, summary="for tests", stages=(stage,))
    return save_artifact(path, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=DATA)


@pytest.fixture(params=["mainstream", "compact"])
def writer(request, own_home):
    config = TransformerConfig(layout=request.param, context=32, depth=2, width=32, heads=2)
    return save(own_home / "models" / "writer", "text", CharacterCodecConfig(), config, [record(POEM * 3, "text")])


@pytest.fixture
def painter(own_home):
    generator = np.random.default_rng(0)
    images = [
        record(generator.integers(0, 256, (16, 16, 3), np.uint8), "image", label)
        for label in ("cat", "fox")
        for _ in range(4)
    ]
    config = DiffusionConfig(height=16, width=16, features=16, multipliers=(1, 2), blocks=1, head_width=8)
    codec = ImageCodecConfig(height=16, width=16, use_labels=True)
    return save(own_home / "models" / "painter", "image", codec, config, images)


@pytest.fixture(params=[DcganConfig, StyleganConfig])
def player(request, own_home):
    generator = np.random.default_rng(0)
    images = [
        record(generator.integers(0, 256, (16, 16, 3), np.uint8), "image", label)
        for label in ("cat", "fox")
        for _ in range(4)
    ]
    config = request.param(height=16, width=16, features=8, latent_width=8)
    codec = ImageCodecConfig(height=16, width=16, use_labels=True)
    return save(own_home / "models" / "player", "image", codec, config, images)


writes = pytest.mark.skipif("options" not in vars(TransformerFamily), reason="the text family names no options yet")


@writes
def test_text_is_made_signed_and_verified(writer, tmp_path):
    options = {"max_tokens": 20, "temperature": 1.0}
    assets = list(generate(writer, prompts=["It was", "the "], count=2, seed=3, options=options))
    assert all(asset.content.startswith(("It was", "the ")) for asset in assets)
    assert len({asset.hash for asset in assets}) == 4
    alone = next(generate(writer, prompts="the ", seed=4, options=options))
    assert alone.content == assets[3].content
    assert verify(alone.save(tmp_path / "a.txt")).is_intact
    *pieces, asset = stream_text(writer, prompt="the ", seed=4, options=options)
    assert "the " + "".join(pieces) == asset.content == alone.content


@writes
def test_a_stop_text_is_not_shown(writer):
    whole = next(generate(writer, prompts="the ", options={"max_tokens": 40, "temperature": 1.0})).new_text
    stop = whole[5:7]
    asset = next(generate(writer, prompts="the ", options={"max_tokens": 40, "temperature": 1.0, "stop": [stop]}))
    assert asset.new_text == whole[: whole.index(stop)]
    assert asset.manifest["settings"]["stop"] == [stop]


@writes
def test_bytes_that_are_half_a_character_stream_as_they_are_made(own_home):
    config = TransformerConfig(context=32, depth=1, width=32, heads=2)
    artifact = save(own_home / "models" / "bytes", "text", ByteCodecConfig(), config, [record(POEM, "text")])
    options = {"max_tokens": 40, "temperature": 1.0, "top_p": 1.0}
    made = next(generate(artifact, prompts="ä", options=options))
    *pieces, asset = stream_text(artifact, prompt="ä", options=options)
    assert "ä" + "".join(pieces) == asset.content == made.content


def test_images_are_made_signed_and_verified(painter, tmp_path):
    options = {"steps": 2}
    assets = list(generate(painter, prompts=["fox", "cat"], count=2, seed=3, options=options))
    assert [asset.manifest["prompt"] for asset in assets] == ["fox", "fox", "cat", "cat"]
    assert next(generate(painter, prompts="cat", seed=4, options=options)).hash == assets[3].hash
    assert verify(assets[0].save(tmp_path / "a.png")).is_intact
    with pytest.raises(UnsupportedError, match='no control "temperature"'):
        generate(painter, options={"temperature": 0.5})


@pytest.fixture
def illustrator(own_home):
    generator = np.random.default_rng(0)
    images = [
        dataclasses.replace(record(generator.integers(0, 256, (16, 16, 3), np.uint8), "image"), caption=f"a {word} fox")
        for word in ("red", "blue", "green", "old")
    ]
    config = DiffusionConfig(height=16, width=16, features=16, caption_width=32, objective="ddpm")
    codec = ImageCodecConfig(height=16, width=16, use_captions=True, caption_length=12)
    return save(own_home / "models" / "illustrator", "image", codec, config, images)


def test_described_images_are_made_signed_and_verified(illustrator, tmp_path):
    options = {"steps": 2, "negative_prompt": "blue"}
    assets = list(generate(illustrator, prompts=["a red fox", "a green fox"], seed=3, options=options))
    assert [asset.manifest["prompt"] for asset in assets] == ["a red fox", "a green fox"]
    assert assets[0].manifest["settings"]["negative_prompt"] == "blue"
    assert assets[0].hash != assets[1].hash
    assert next(generate(illustrator, prompts="A RED fox", seed=3, options=options)).hash == assets[0].hash
    assert verify(assets[0].save(tmp_path / "a.png")).is_intact
    assert next(generate(illustrator, prompts="", seed=3, options={"steps": 2})).content.shape == (16, 16, 3)
    for wrong, part in ((7, "description"), ("fox " * 3000, "fewer words"), ([], "empty list")):
        with pytest.raises(UnsupportedError, match=part):
            generate(illustrator, prompts=wrong)


def test_a_model_without_captions_takes_no_description(painter):
    with pytest.raises(UnsupportedError, match="image-text"):
        list(generate(painter, prompts="fox", options={"negative_prompt": "cat"}))


@pytest.mark.slow
def test_models_with_captions_go_out_to_onnx_and_come_back(illustrator, tmp_path):
    folder = export_artifact(illustrator, to="onnx", folder=tmp_path / "onnx")
    assert import_artifact(folder, output="back").hash == illustrator.hash


def test_adversarial_images_are_made_signed_and_verified(player, tmp_path):
    assets = list(generate(player, prompts=["fox", "cat"], count=2, seed=3))
    assert [asset.manifest["prompt"] for asset in assets] == ["fox", "fox", "cat", "cat"]
    assert next(generate(player, prompts="cat", seed=4)).hash == assets[3].hash
    assert verify(assets[0].save(tmp_path / "a.png")).is_intact
    between = next(generate(player, prompts="cat", seed=4, options={"towards_seed": 9, "towards": 0.3}))
    assert between.hash != assets[3].hash and between.manifest["settings"]["towards_seed"] == 9
    with pytest.raises(UnsupportedError, match='no control "guidance"'):
        generate(player, options={"guidance": 2.0})


def test_styles_are_truncated_and_a_model_without_styles_says_so(player):
    if player.header["family"]["kind"] == "stylegan":
        plain, typical = (
            next(generate(player, prompts="cat", seed=4, options={"truncation_psi": psi})) for psi in (1, 0.2)
        )
        assert plain.hash != typical.hash
    else:
        with pytest.raises(UnsupportedError, match="truncation_psi"):
            generate(player, options={"truncation_psi": 0.5})


@pytest.mark.slow
def test_adversarial_images_go_out_to_onnx_and_come_back(player, tmp_path):
    folder = export_artifact(player, to="onnx", folder=tmp_path / "onnx")
    assert import_artifact(folder, output="back").hash == player.hash


def test_text_goes_out_to_transformers_and_comes_back(writer, tmp_path):
    folder = export_artifact(writer, to="transformers", folder=tmp_path / "hf")
    assert import_artifact(folder, output="back").hash == writer.hash


def test_text_goes_out_to_onnx_and_comes_back(own_home, tmp_path):
    config = TransformerConfig(layout="compact", context=16, depth=1, width=16, heads=2)
    artifact = save(own_home / "models" / "w", "text", CharacterCodecConfig(), config, [record(POEM, "text")])
    folder = export_artifact(artifact, to="onnx", folder=tmp_path / "onnx")
    assert import_artifact(folder, output="back").hash == artifact.hash


@pytest.mark.slow
def test_both_layouts_of_text_go_out_to_onnx_and_come_back(writer, tmp_path):
    folder = export_artifact(writer, to="onnx", folder=tmp_path / "onnx")
    assert import_artifact(folder, output="back").hash == writer.hash


@pytest.mark.slow
def test_images_go_out_to_onnx_and_come_back(painter, tmp_path):
    folder = export_artifact(painter, to="onnx", folder=tmp_path / "onnx")
    assert import_artifact(folder, output="back").hash == painter.hash
    with pytest.raises(UnsupportedError, match="transformers"):
        export_artifact(painter, to="transformers", folder=tmp_path / "hf")
