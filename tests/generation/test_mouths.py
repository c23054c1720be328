"""Mouths: every unit has one, lips close for every p, b and m however short, the longest counts otherwise, rest where nobody speaks."""

import numpy as np
import pytest

from makar.codecs.units import KINDS
from makar.errors import UsageError
from makar.generation.avatar import Anchor, Avatar, is_drawing
from makar.generation.mouths import SHAPE_OF, SHAPES, mouth_shapes
from makar.generation.reading_aloud import Spoken


def units(*parts):
    """Return units of (name, seconds), one after the other."""
    found, now = [], 0.0
    for name, seconds in parts:
        found.append(Spoken(unit=name, start=now, end=now + seconds))
        now += seconds
    return found


def test_every_unit_has_a_shape():
    assert all(SHAPE_OF[unit] in SHAPES for names in KINDS.values() for unit in names)
    assert [SHAPE_OF[unit] for unit in ("p", "b", "m", "f", "l", "uw", "aa", "pau")] == list("AAAGHFDX")


def test_the_mouth_of_an_image_is_the_one_that_lasts_longest_in_it():
    assert mouth_shapes(units(("aa", 0.1), ("f", 0.1)), images=5, images_a_second=20) == ["D", "D", "G", "G", "X"]
    assert mouth_shapes(units(("aa", 0.04), ("f", 0.01)), images=1, images_a_second=20) == ["D"]


@pytest.mark.parametrize("offset", [0.0, 0.013, 0.029])
def test_lips_close_for_the_shortest_p(offset):
    found = mouth_shapes(units(("aa", 0.2 + offset), ("p", 0.012), ("aa", 0.2)), images=12, images_a_second=25)
    assert found.count("A") == 1 and found.index("A") == int((0.206 + offset) * 25)


def test_shapes_are_drawn_and_eyes_blink():
    avatar = Avatar()
    drawn = [avatar.draw(shape, False) for shape in SHAPES]
    assert {image.shape for image in drawn} == {(256, 256, 3)}
    assert len({image.tobytes() for image in drawn}) == len(SHAPES)
    changed = (avatar.draw("X", True) != avatar.draw("X", False)).any(axis=2)
    assert np.flatnonzero(changed.any(1)).min() > 95 and np.flatnonzero(changed.any(1)).max() < 130


def test_the_mouth_of_a_drawing_is_where_it_is_said():
    paper = np.full((120, 101, 3), 240, np.uint8)
    avatar = Avatar(paper, Anchor(x=40, y=50, width=30))
    assert avatar.size == (100, 120)
    changed = np.argwhere((np.abs(avatar.draw("D", False)[:90].astype(int) - 240) > 40).any(axis=2))
    assert np.allclose(changed.mean(0), (50, 40), atol=3) and np.ptp(changed[:, 1]) < 36


def test_the_mark_is_seen_on_every_image():
    paper = np.full((120, 100, 3), 240, np.uint8)
    corner = Avatar(paper, Anchor(x=40, y=50, width=30)).draw("X", False)[-15:, :60]
    assert (corner < 30).mean() > 0.3 and (corner > 220).mean() > 0.01


@pytest.mark.parametrize(
    "anchor", [Anchor(200, 50, 30), Anchor(40, -1, 30), Anchor(40, 50, 2), Anchor(40, 50, 900), None]
)
def test_a_mouth_outside_the_drawing_is_refused(anchor):
    with pytest.raises(UsageError):
        Avatar(np.full((120, 100, 3), 240, np.uint8), anchor)


def test_drawings_are_told_from_photographs():
    draw = np.random.default_rng(0)
    assert is_drawing(Avatar().draw("X", False))
    slope = np.linspace(0, 200, 64)[None, :, None] + draw.normal(0, 4, (64, 64, 3))
    assert not is_drawing(slope.clip(0, 255).astype(np.uint8))
