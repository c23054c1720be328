"""Images: every format and mode comes out right, everything else is refused with its reason before memory is spent."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from makar.data.image_reader import read_image
from makar.errors import DataError

COLOURS = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)


def encoded(array_or_image, form, **options):
    image = Image.fromarray(array_or_image) if isinstance(array_or_image, np.ndarray) else array_or_image
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png_header(width, height):
    """A PNG that states a size and holds almost nothing."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_same_pixels(form):
    assert np.array_equal(read_image(encoded(COLOURS[..., :3], form)), COLOURS[..., :3])


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF"])
def test_other_formats_give_the_same_shape(form):
    assert read_image(encoded(COLOURS[..., :3], form)).shape == (20, 30, 3)


def test_grey_stays_one_channel():
    grey = COLOURS[..., 0]
    assert np.array_equal(read_image(encoded(grey, "PNG"))[..., 0], grey)
    assert read_image(encoded(Image.fromarray(grey > 128), "PNG")).shape == (20, 30, 1)


def test_sixteen_bit_grey_keeps_its_upper_half():
    grey = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109
    assert np.array_equal(read_image(encoded(grey, "PNG"))[..., 0], grey >> 8)


def test_opacity_is_kept_as_a_fourth_channel():
    assert np.array_equal(read_image(encoded(COLOURS, "PNG")), COLOURS)
    grey = Image.merge("LA", [Image.fromarray(COLOURS[..., 0]), Image.fromarray(COLOURS[..., 3])])
    assert np.array_equal(read_image(encoded(grey, "PNG"))[..., 3], COLOURS[..., 3])


def test_palettes_are_expanded():
    palette = Image.fromarray(COLOURS[..., :3]).quantize(16)
    assert np.array_equal(read_image(encoded(palette, "PNG")), np.asarray(palette.convert("RGB")))
    assert read_image(encoded(palette, "PNG", transparency=3)).shape == (20, 30, 4)


def test_cmyk_becomes_colour():
    assert read_image(encoded(Image.fromarray(COLOURS[..., :3]).convert("CMYK"), "TIFF")).shape == (20, 30, 3)


def test_only_the_first_frame_of_a_gif_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (read_image(content) == (255, 0, 0)).all()


@pytest.mark.parametrize(
    "orientation, turned", [(1, COLOURS), (3, COLOURS[::-1, ::-1]), (6, np.rot90(COLOURS, -1)), (8, np.rot90(COLOURS))]
)
def test_the_orientation_of_a_camera_is_applied(orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(read_image(encoded(COLOURS[..., :3], "PNG", exif=exif)), turned[..., :3])


@pytest.mark.parametrize("side, megapixels", [(8001, 64), (9800, 96), (14143, 200), (60_000, 3600)])
def test_too_many_pixels_are_refused_before_decoding(side, megapixels):
    with pytest.raises(DataError, match=f"{megapixels} megapixels"):
        read_image(png_header(side, side))


def test_the_limit_itself_is_read():
    assert read_image(encoded(COLOURS, "PNG"), pixel_limit=600).shape == (20, 30, 4)
    with pytest.raises(DataError, match="megapixels"):
        read_image(encoded(COLOURS, "PNG"), pixel_limit=599)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_images_are_refused(form, share):
    content = encoded(np.tile(COLOURS[..., :3], (8, 8, 1)), form)
    with pytest.raises(DataError):
        read_image(content[: int(len(content) * share)])


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4", b"BM" + bytes(40)])
def test_what_is_no_image_is_refused(content):
    with pytest.raises(DataError):
        read_image(content)


def test_other_formats_of_pillow_are_not_tried():
    with pytest.raises(DataError):
        read_image(encoded(COLOURS[..., :3], "PPM"))
