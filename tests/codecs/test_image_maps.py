"""Maps of images: closed forms, the same at every call, and images of one colour."""

import numpy as np
import pytest

from makar.codecs.image_maps import SEGMENTS, depth, segments, sketch

MAPS = {"sketch": sketch, "segments": segments, "depth": depth}
every_map = pytest.mark.parametrize("name", MAPS)


def halves(channels=3):
    """Return an image whose left half is dark and whose right half is bright."""
    images = np.full((2, channels, 16, 16), 40, np.uint8)
    images[..., 8:] = 200
    return images


@every_map
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_map_is_one_plane_of_the_same_size_and_the_same_at_every_call(name, channels):
    images = np.random.default_rng(0).integers(0, 256, (3, channels, 16, 20), dtype=np.uint8)
    made = MAPS[name](images)
    assert made.shape == (3, 1, 16, 20) and made.dtype == np.uint8
    assert np.array_equal(made, MAPS[name](images))
    assert np.array_equal(made[1:2], MAPS[name](images[1:2]))


@every_map
def test_an_image_of_one_colour_has_a_map_of_one_value(name):
    assert len(np.unique(MAPS[name](np.full((1, 3, 16, 16), 77, np.uint8)))) == 1


def test_a_sketch_has_its_line_where_the_halves_meet():
    made = sketch(halves())[0, 0]
    assert (made[:, 7:9] > 100).all() and not made[:, :6].any() and not made[:, 10:].any()


def test_segments_are_places_of_one_colour():
    made = segments(halves())[0, 0]
    assert (made[:, :8] == 40).all() and (made[:, 8:] == 200).all()
    noisy = np.random.default_rng(1).integers(0, 256, (1, 3, 16, 16), dtype=np.uint8)
    assert 2 <= len(np.unique(segments(noisy))) <= SEGMENTS


def test_depth_rises_over_the_whole_range_from_dark_to_bright():
    made = depth(halves())[0, 0].astype(int)
    assert made.min() == 0 and made.max() == 255
    assert (np.diff(made, axis=1) >= 0).all()
