"""Which mouth belongs to what is spoken: nine shapes, A to H and X, as animators have used them since the 1960s.

The names are those of Rhubarb Lip Sync (https://github.com/DanielSWolf/rhubarb-lip-sync, "mouth shapes"): A lips pressed together (p b m),
B slightly open with teeth together (most consonants, ee), C open (e), D wide open (a), E slightly rounded (o, er), F puckered (oo, w),
G teeth on the lower lip (f v), H tongue raised (l), X at rest. A closed mouth that lasts less than an image is still seen: eyes that read
lips miss a p, b or m first.
"""

from collections.abc import Sequence

import numpy as np

from makar.codecs.units import LETTERS
from makar.data.phones import PAUSE, PHONES
from makar.generation.reading_aloud import Spoken

CLOSED, REST = "A", "X"
SHAPES = ("A", "B", "C", "D", "E", "F", "G", "H", "X")
_UNITS = {
    "A": "p b m",
    "B": "d dh ch g hh ih iy jh k n ng s sh t th y z zh c h i j q x",
    "C": "ae ah ax eh ey e",
    "D": "aa ay a",
    "E": "ao er oy r o",
    "F": "aw ow uh uw w u",
    "G": "f v",
    "H": "l",
    "X": PAUSE,
}
SHAPE_OF: dict[str, str] = {unit: shape for shape, units in _UNITS.items() for unit in units.split()} | {
    " ": "B",
    "'": "B",
}
assert set(SHAPE_OF) == {*PHONES, *LETTERS}, "every unit has a mouth"


def mouth_shapes(units: Sequence[Spoken], *, images: int, images_a_second: float) -> list[str]:
    """Return the mouth of every image.

    Args:
        units: What is spoken when, in order.
        images: How many there are.
        images_a_second: How fast they follow each other.

    Returns:
        Of ``SHAPES``, one an image: the one that lasts longest in it, but always closed where a p, b or m is for the most part in it.
    """
    shares = np.zeros((images, len(SHAPES)))
    closed = np.zeros(images, bool)
    for one in units:
        shape = SHAPE_OF[one.unit]
        start, end = one.start * images_a_second, one.end * images_a_second
        for image in range(max(0, int(start)), min(images, int(np.ceil(end)))):
            shares[image, SHAPES.index(shape)] += min(end, image + 1) - max(start, image)
        if shape == CLOSED:
            closed[min(images - 1, int((start + end) / 2))] = True
    # What nobody speaks in is rest.
    shares[:, SHAPES.index(REST)] += np.maximum(0, 1 - shares.sum(1))
    found = [SHAPES[place] for place in shares.argmax(1)]
    return [CLOSED if is_closed else shape for shape, is_closed in zip(found, closed, strict=True)]
