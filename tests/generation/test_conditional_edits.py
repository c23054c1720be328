"""Enlarging, colouring and restyling with models of the diffusion family: what was given is kept as promised, at any size."""

import numpy as np
import pytest

from makar.codecs.image_fit import with_channels
from makar.codecs.image_sources import reduced
from makar.errors import UnsupportedError, UsageError
from makar.families.diffusion.config import DiffusionConfig
from makar.generation.colouring import LUMA, coloured, in_brightness
from makar.generation.enlarging import agreeing, enlarged
from tests.generation.test_edit import QUICK, one, saved

SMALL = {"features": 8, "head_width": 8}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return one model that enlarges twice, one that colours, and one that can restyle."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("home")
    patch.setenv("MAKAR_HOME", str(folder))
    enlarging = DiffusionConfig(
        source_channels=3, source_height=8, source_width=8, source_edit="enlarge", source_noise=0.1, **SMALL
    )
    colouring = DiffusionConfig(source_channels=1, source_height=16, source_width=16, source_edit="colour", **SMALL)
    found = {
        "sharp": saved(folder / "sharp", enlarging, labels=(None,), source="reduced"),
        "tint": saved(folder / "tint", colouring, labels=(None,), source="grey"),
        "padded": saved(folder / "padded", colouring, labels=(None,), source="grey", fit="pad"),
        "painter": saved(folder / "painter", DiffusionConfig(**SMALL), labels=(None,)),
    }
    patch.undo()
    return found


@pytest.fixture(autouse=True)
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))


def noise(rows, columns, channels=3):
    return np.random.default_rng(1).integers(0, 256, (rows, columns, channels), np.uint8)


@pytest.mark.parametrize("shape", [(8, 8, 3), (13, 21, 3), (5, 9, 1), (8, 8, 4)])
def test_an_enlarged_image_reduced_again_is_what_was_given(models, shape):
    image = noise(*shape)
    content = one(models["sharp"], image, enlarge=2).content
    assert content.shape == (2 * shape[0], 2 * shape[1], 3)
    again = reduced(content.transpose(2, 0, 1)[None], factor=2)[0].transpose(1, 2, 0)
    assert np.abs(again.astype(int) - with_channels(image, 3)).max() <= 1


def test_seed_steps_and_noise_change_the_detail(models):
    image = noise(8, 8)
    plain = one(models["sharp"], image, enlarge=2).hash
    for options in ({"steps": 3}, {**QUICK, "source_noise": 1.0}, {**QUICK, "shift": 0.5}):
        assert one(models["sharp"], image, options=options, enlarge=2).hash != plain


def test_another_factor_and_nothing_from_nothing_are_refused(models):
    with pytest.raises(UnsupportedError, match="3 times as large"):
        one(models["sharp"], noise(8, 8), enlarge=3)
    with pytest.raises(UnsupportedError, match="cannot enlarge"):
        one(models["painter"], noise(8, 8), enlarge=2)
    with pytest.raises(UnsupportedError, match="cannot colour"):
        one(models["sharp"], noise(8, 8), operation="colour")


@pytest.mark.parametrize("model", ["tint", "padded"])
@pytest.mark.parametrize("shape", [(16, 16, 1), (40, 24, 1), (12, 50, 3)])
def test_a_coloured_image_has_exactly_the_brightness_that_was_given(models, model, shape):
    image = noise(*shape)
    content = one(models[model], image).content
    assert content.shape == (*shape[:2], 3)
    assert np.array_equal(with_channels(content, 1), with_channels(image, 1))
    # All of it has colour, also what lies beyond one frame of the model.
    assert (np.ptp(content.astype(int), axis=2) > 0).mean(0).min() > 0.2


def test_colours_without_room_become_pale_and_brightness_stays():
    brightness = np.arange(256, dtype=np.uint8)[None]
    chroma = np.array([200.0, -60.0, 0.0])
    chroma = np.broadcast_to(chroma - chroma @ LUMA, (1, 256, 3))
    found = in_brightness(brightness, chroma)
    assert np.array_equal(with_channels(found, 1)[:, :, 0], brightness)
    assert (found[0, 0] == 0).all() and (found[0, 255] == 255).all()
    assert found[0, 128, 0] > 200 and found[0, 128, 1] < 128


def test_colours_of_frames_that_agree_have_no_seam():
    def make(parts):
        return [np.full((16, 16, 3), (180, 90, 60), np.uint8) for _ in parts]

    flat = np.full((16, 70, 1), 120, np.uint8)
    found = coloured(flat, make, size=(16, 16), fit="crop")
    assert (found == found[0, 0]).all()


def test_tiles_that_agree_have_no_seam():
    image = np.linspace(0, 255, 20 * 30 * 3).reshape(20, 30, 3).astype(np.uint8)

    def make(tiles):
        return [tile.repeat(2, 0).repeat(2, 1) for tile in tiles]

    assert np.array_equal(enlarged(image, make, size=(16, 16), factor=2), image.repeat(2, 0).repeat(2, 1))


def test_means_agree_also_where_pixels_are_black_or_white():
    image = np.array([[[0], [255], [128]]], np.uint8)
    wild = np.random.default_rng(0).uniform(-50, 300, (4, 12, 1))
    found = agreeing(wild, image, factor=4)
    means = found.reshape(1, 4, 3, 4).mean((1, 3))
    assert np.abs(means - image[:, :, 0]).max() <= 0.5


def test_a_restyled_image_names_its_reference_and_takes_a_strength(models, tmp_path):
    image, reference = noise(16, 16), np.full((20, 20, 3), (200, 40, 40), np.uint8)
    asset = one(models["painter"], image, reference=reference)
    assert asset.manifest["edit"]["operation"] == "restyle"
    assert asset.manifest["edit"]["reference"]["height"] == 20
    assert asset.content.shape == (16, 16, 3)
    other = one(models["painter"], image, reference=reference[:, :, ::-1].copy())
    assert other.hash != asset.hash
    near = one(models["painter"], image, reference=reference, options={**QUICK, "strength": 0.1})
    assert near.hash != asset.hash
    plain = one(models["painter"], image, options={**QUICK, "strength": 0.6})

    def redness(content):
        return float(content[:, :, 0].mean() - content[:, :, 1].mean())

    assert redness(asset.content) > redness(plain.content)


def test_a_reference_with_a_mask_is_refused(models):
    with pytest.raises(UsageError, match="different things"):
        one(models["painter"], noise(16, 16), reference=noise(16, 16), box=(4, 4, 8, 8))
    with pytest.raises(UnsupportedError, match="cannot restyle"):
        one(models["sharp"], noise(16, 16), reference=noise(16, 16))
