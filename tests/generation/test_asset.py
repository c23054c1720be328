"""An asset is written with its proof, and never over anything."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_tiny_image

from makar.errors import MakarError, UnsupportedError, UsageError
from makar.generation import asset as asset_module
from makar.generation.generate import generate
from makar.provenance.chain import verify


def test_an_image_keeps_its_pixels_and_carries_its_manifest(image_artifact, tmp_path):
    asset = next(generate(image_artifact, prompts="fox"))
    path = asset.save(tmp_path / "new" / "fox.png")
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), asset.content)
        assert json.loads(image.text["makar"])["manifest"] == asset.manifest
        packet = ElementTree.fromstring(image.info["xmp"])
    values = [value for element in packet.iter() for name, value in element.items() if "DigitalSourceType" in name]
    assert values == ["http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"]
    assert [file.name for file in path.parent.iterdir()] == ["fox.png"]


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_images_verify_too(own_home, tmp_path, channels):
    artifact = save_tiny_image(own_home / "models" / "m", channels=channels)
    path = next(generate(artifact)).save(tmp_path / "a.png")
    assert verify(path).is_intact


def test_text_is_written_exactly_with_its_manifest_beside(text_artifact, tmp_path):
    asset = next(generate(text_artifact, prompts="one\r\ntwo\n"))
    path = asset.save(tmp_path / "poem.md")
    assert path.read_bytes() == asset.content.encode()
    assert json.loads((tmp_path / "poem.md.makar.json").read_text())["manifest"] == asset.manifest


def test_nothing_is_overwritten(text_artifact, image_artifact, tmp_path):
    for asset, name in ((next(generate(text_artifact)), "a.txt"), (next(generate(image_artifact)), "a.png")):
        asset.save(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(UsageError, match="exists"):
            asset.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    (tmp_path / "b.txt.makar.json").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        next(generate(text_artifact)).save(tmp_path / "b.txt")
    assert not (tmp_path / "b.txt").exists()
    assert (tmp_path / "b.txt.makar.json").read_text() == "mine"


def test_a_folder_gets_the_next_free_number(image_artifact, text_artifact, tmp_path):
    names = [asset.save(tmp_path).name for asset in generate(image_artifact, count=2)]
    names += [next(generate(text_artifact)).save(tmp_path).name]
    assert names == ["0001.png", "0002.png", "0003.txt"]


def test_formats_that_cannot_carry_the_proof_are_refused(image_artifact, text_artifact, tmp_path):
    with pytest.raises(UnsupportedError, match=r"\.jpg"):
        next(generate(image_artifact)).save(tmp_path / "a.jpg")
    with pytest.raises(UnsupportedError, match="image"):
        next(generate(text_artifact)).save(tmp_path / "a.png")
    with pytest.raises(UnsupportedError, match="no text"):
        _ = next(generate(image_artifact)).new_text
    assert not list(tmp_path.glob("a.*"))


def test_a_failed_write_leaves_no_sidecar_alone(text_artifact, tmp_path, monkeypatch):
    real = asset_module.write_new

    def fail_on_text(path, content):
        if path.suffix == ".txt":
            raise OSError(5, "broken")
        real(path, content)

    monkeypatch.setattr(asset_module, "write_new", fail_on_text)
    with pytest.raises(MakarError, match="cannot be written"):
        next(generate(text_artifact)).save(tmp_path / "x" / "a.txt")
    assert not list((tmp_path / "x").iterdir())
