"""A palette and tracing are done after the copy check, before the signature, and the manifest says so."""

import json
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_tiny_image

from makar.errors import MissingExtraError, UnsupportedError, UsageError
from makar.generation import tracing
from makar.generation.generate import generate
from makar.generation.palette import written
from makar.provenance.chain import verify

COLOURS = "#102030,#d0e0f0,#a01010"


class Check:
    """Remembers what it was shown."""

    def __init__(self):
        self.seen = []

    def check(self, content):
        self.seen.append(content)
        return self

    is_copy = False

    def to_dictionary(self):
        return {"is_copy": False, "value": 1.0}


def colours_of(path):
    with Image.open(path) as image:
        return set(written(np.asarray(image.convert("RGB")).reshape(-1, 3)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_come_out_in_the_colours_of_a_palette_and_verify(own_home, tmp_path, channels):
    artifact = save_tiny_image(own_home / "models" / "m", channels=channels)
    check = Check()
    (asset,) = generate(artifact, options={"palette": COLOURS}, novelty=check)
    path = asset.save(tmp_path / "a.png")
    assert colours_of(path) <= set(COLOURS.split(",")) and verify(path).is_intact
    assert asset.manifest["finish"]["palette"]["colours"] == COLOURS.split(",")
    (plain,) = generate(artifact)
    assert np.array_equal(check.seen[0], plain.content) and "finish" not in plain.manifest
    assert not np.array_equal(plain.content[:, :, :3], asset.content[:, :, :3])


def test_a_number_is_the_number_of_colours(image_artifact, tmp_path):
    (asset,) = generate(image_artifact, options={"palette": 4})
    assert 1 < len(colours_of(asset.save(tmp_path / "a.png"))) <= 4 and asset.manifest["finish"] == {"palette": 4}


def test_a_drawing_is_an_svg_with_the_public_mark_and_its_manifest_beside(image_artifact, tmp_path):
    (asset,) = generate(image_artifact, options={"svg": True, "palette": COLOURS})
    path = asset.save(tmp_path)
    assert path.name == "0001.svg" and asset.manifest["content"]["kind"] == "svg"
    root = ElementTree.fromstring(path.read_text(encoding="utf-8").split("?>", 1)[1])
    assert root.tag.endswith("svg") and (root.get("width"), root.get("height")) == ("8", "8")
    marks = [value for element in root.iter() for name, value in element.items() if "DigitalSourceType" in name]
    assert marks == ["http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"]
    fills = re.findall(r'fill="([^"]*)"', path.read_text(encoding="utf-8"))
    assert fills and set(fills) <= set(COLOURS.split(","))
    assert verify(path).is_intact
    changed = path.read_text(encoding="utf-8").replace(fills[0], "#ffffff")
    path.write_text(changed, encoding="utf-8")
    assert not verify(path).is_intact
    (tmp_path / "0001.svg.makar.json").unlink()
    assert not verify(path).is_intact


def test_a_drawing_leaves_what_is_transparent_open():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[4:12, 4:12] = (200, 30, 30, 255)
    drawing = tracing.traced(pixels, colours=np.array([[200, 30, 30]], np.uint8))
    paths = re.findall(r'<path d="([^"]*)"', drawing.text)
    numbers = [float(number) for path in paths for number in re.findall(r"-?[\d.]+", path)]
    assert len(paths) == 1 and max(numbers) - min(numbers) < 150
    assert (
        "0001" not in drawing.text
        and drawing.text == tracing.traced(pixels, colours=np.array([[200, 30, 30]], np.uint8)).text
    )


def test_a_file_of_another_kind_is_refused_before_anything_is_written(image_artifact, tmp_path):
    (drawing,) = generate(image_artifact, options={"svg": True})
    (image,) = generate(image_artifact)
    for asset, name in ((drawing, "a.png"), (image, "a.svg")):
        with pytest.raises(UnsupportedError, match="cannot be written"):
            asset.save(tmp_path / name)
    assert not list(tmp_path.glob("a.*"))


def test_a_missing_package_is_named_with_its_command(image_artifact, monkeypatch):
    monkeypatch.setitem(sys.modules, tracing.PACKAGE, None)
    with pytest.raises(MissingExtraError) as caught:
        generate(image_artifact, options={"svg": True})
    assert "makar[design]" in str(caught.value)


def test_words_have_no_palette_and_nonsense_is_refused(text_artifact, image_artifact):
    with pytest.raises(UnsupportedError, match="makes no images"):
        list(generate(text_artifact, prompts="a", options={"palette": "4"}))
    with pytest.raises(UsageError, match="palette"):
        generate(image_artifact, options={"palette": "no such thing"})
    with pytest.raises(UsageError, match="svg"):
        generate(image_artifact, options={"svg": "yes"})


def test_the_same_seed_gives_the_same_drawing(image_artifact):
    one, two = (json.dumps(next(generate(image_artifact, options={"svg": True})).content.text) for _ in range(2))
    assert one == two
