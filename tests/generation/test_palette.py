"""Images come out in exactly the colours of a palette, whichever way it was given, and nothing else becomes a palette."""

import numpy as np
import pytest
from PIL import Image

from makar.errors import UsageError
from makar.generation.palette import in_colours, named_palette, oklab, own_colours, read_palette, written

NIGHT = np.array([[0x1C, 0x1F, 0x23], [0x0A, 0x6C, 0x74], [0xFB, 0xFA, 0xF7]], np.uint8)


def picture(channels=3):
    return np.random.default_rng(0).integers(0, 256, (12, 10, channels), np.uint8)


def test_every_way_to_give_a_palette_gives_the_same_colours(tmp_path):
    (tmp_path / "night.hex").write_text("1c1f23\n0a6c74\nfbfaf7\n")
    (tmp_path / "night.txt").write_text("# night\n#1C1F23\n#0A6C74\n#FBFAF7\n")
    (tmp_path / "night.gpl").write_text(
        "GIMP Palette\nName: night\n#\n 28  31  35\tink\n10 108 116\n251 250 247 paper\n"
    )
    Image.fromarray(NIGHT[None]).save(tmp_path / "night.png")
    for given in (
        "#1c1f23, #0a6c74,#FBFAF7",
        *(str(tmp_path / f"night.{end}") for end in ("hex", "txt", "gpl", "png")),
    ):
        colours = read_palette(named_palette(given))
        assert {tuple(colour) for colour in colours.tolist()} == {tuple(colour) for colour in NIGHT.tolist()}
    assert read_palette(named_palette("12")) == 12


@pytest.mark.parametrize("given", ["0", "257", "nowhere.gpl", "#12345", "red,green", "", "9" * 5000])
def test_what_is_no_palette_is_refused(given):
    for palette in (given, named_palette(given)):
        with pytest.raises(UsageError):
            read_palette(palette)


def test_a_text_is_never_the_name_of_a_file(tmp_path):
    (tmp_path / "secret.hex").write_text("112233\n")
    said = []
    for name in ("secret.hex", "absent.hex"):
        with pytest.raises(UsageError, match="no palette") as found:
            read_palette(str(tmp_path / name))
        said.append(str(found.value).replace(name, ""))
    assert said[0] == said[1] and read_palette(tmp_path / "secret.hex").tolist() == [[0x11, 0x22, 0x33]]


def test_an_image_of_too_many_colours_is_no_palette(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(UsageError, match="palette of 1"):
        read_palette(tmp_path / "photo.png")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_only_colours_of_the_palette_are_left_and_opacity_stays(channels):
    image = picture(channels)
    flat = in_colours(image, NIGHT)
    assert {tuple(colour) for colour in flat[:, :, :3].reshape(-1, 3).tolist()} <= {tuple(c) for c in NIGHT.tolist()}
    if channels == 4:
        assert np.array_equal(flat[:, :, 3], image[:, :, 3])
    assert np.array_equal(in_colours(flat, NIGHT), flat)


def test_every_pixel_gets_the_colour_that_looks_nearest():
    image = picture()
    distances = np.linalg.norm(oklab(image.reshape(-1, 3))[:, None] - oklab(NIGHT), axis=2)
    assert np.array_equal(in_colours(image, NIGHT).reshape(-1, 3), NIGHT[distances.argmin(1)])
    assert oklab(np.array([[255, 255, 255], [0, 0, 0]], np.uint8)) == pytest.approx(
        np.array([[1, 0, 0], [0, 0, 0]]), abs=1e-4
    )


def test_an_image_finds_its_own_colours():
    image = np.repeat(NIGHT[[0, 1, 2, 1]], 16, axis=0).reshape(8, 8, 3)
    assert sorted(written(own_colours(image, 8))) == sorted(written(NIGHT))
    assert len(own_colours(picture(), 5)) <= 5 and len(own_colours(picture(1), 3)) <= 3
    hidden = np.dstack([image, np.where(np.arange(64).reshape(8, 8) < 16, 0, 255).astype(np.uint8)])
    assert written(NIGHT[:1])[0] not in written(own_colours(hidden, 8))
