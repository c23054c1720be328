"""Frames over images of another size: inside where that covers what is new, over all where not, and back without touching the rest."""

import numpy as np
import pytest
from PIL import Image

from makar.codecs.image_fit import fit_image
from makar.generation.colouring import coloured
from makar.generation.enlarging import enlarged, tiles_of
from makar.generation.placement import Frame, place_frame, pooled, put_back, see, see_mask


def picture(rows, columns, channels=3):
    return np.random.default_rng(0).integers(0, 256, (rows, columns, channels), np.uint8)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_an_image_of_the_models_size_is_seen_as_it_is(fit):
    frame = place_frame(16, 16, height=16, width=16, fit=fit)
    assert frame == Frame(left=0, top=0, width=16, height=16)
    image = picture(16, 16)
    assert np.array_equal(see(image, frame, height=16, width=16, fit=fit), image)


def test_a_frame_is_in_the_middle_unless_what_is_new_lies_elsewhere():
    assert place_frame(16, 48, height=16, width=16, fit="crop") == Frame(left=16, top=0, width=16, height=16)
    cover = np.zeros((16, 48), bool)
    cover[:, 40:44] = True
    assert place_frame(16, 48, height=16, width=16, fit="crop", cover=cover).left == 28
    cover[:, 2] = True
    assert place_frame(16, 48, height=16, width=16, fit="crop", cover=cover) == Frame(
        left=0, top=-16, width=48, height=48
    )


def test_what_is_seen_is_what_the_codec_would_make_of_it():
    image = picture(40, 64)
    for fit in ("crop", "pad"):
        frame = place_frame(40, 64, height=16, width=16, fit=fit)
        seen = see(image, frame, height=16, width=16, fit=fit).astype(int)
        assert np.abs(seen - fit_image(image, height=16, width=16, fit=fit)).mean() < 12


def test_a_mask_grows_and_never_shrinks():
    mask = np.zeros((64, 64), bool)
    mask[31, 33] = True
    assert pooled(mask, height=16, width=16).sum() == 1
    assert pooled(mask, height=128, width=128).sum() >= 1
    assert pooled(np.ones((5, 7), bool), height=3, width=2).all()
    assert not pooled(np.zeros((5, 7), bool), height=3, width=2).any()


def test_every_new_pixel_lies_under_a_new_cell():
    generator = np.random.default_rng(1)
    for rows, columns in ((20, 33), (64, 64), (7, 50)):
        mask = generator.random((rows, columns)) < 0.05
        frame = place_frame(rows, columns, height=16, width=16, fit="crop", cover=mask)
        cells = see_mask(mask, frame, height=16, width=16, is_new_beyond=False)
        for row, column in np.argwhere(mask):
            inside = ((row - frame.top) * 16 // frame.height, (column - frame.left) * 16 // frame.width)
            assert cells[inside]


def test_what_goes_back_changes_only_what_is_new():
    image, made = picture(30, 40), picture(16, 16)
    mask = np.zeros((30, 40), bool)
    mask[4:9, 30:38] = True
    frame = place_frame(30, 40, height=16, width=16, fit="crop", cover=mask)
    back = put_back(image, made, mask, frame=frame)
    assert np.array_equal(back[~mask], image[~mask]) and not np.array_equal(back[mask], image[mask])


def test_tiles_cover_everything_and_overlap():
    for rows, columns in ((16, 16), (17, 50), (100, 33)):
        covered = np.zeros((rows, columns), int)
        for row, column in tiles_of(picture(rows, columns), height=16, width=16):
            covered[row : row + 16, column : column + 16] += 1
        assert covered.min() >= 1


@pytest.mark.parametrize("rows, columns", [(8, 8), (5, 9), (30, 21)])
def test_tiles_of_a_perfect_enlarger_join_without_a_seam(rows, columns):
    image = picture(rows, columns)

    def repeated(tiles):
        assert all(tile.shape == (8, 8, 3) for tile in tiles)
        return [tile.repeat(2, 0).repeat(2, 1) for tile in tiles]

    assert np.array_equal(enlarged(image, repeated, size=(16, 16), factor=2), image.repeat(2, 0).repeat(2, 1))


def test_colours_come_from_the_model_and_brightness_from_the_image():
    grey = picture(20, 24, 1)
    red = np.zeros((16, 16, 3), np.uint8)
    red[:] = (255, 90, 90)
    found = coloured(grey, lambda seen: [red for _ in seen], size=(16, 16), fit="crop")
    assert np.array_equal(np.asarray(Image.fromarray(found).convert("L")), grey[:, :, 0])
    middle = (grey[:, :, 0] > 90) & (grey[:, :, 0] < 150)
    assert (found[:, :, 0].astype(int) - found[:, :, 2])[middle].min() > 20
