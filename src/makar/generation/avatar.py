"""A drawn face that speaks: a face of our own, or a drawing of the user's with a place for the mouth; always marked as generated.

Everything is drawn four times too large and made smaller, so edges are smooth. A picture that is no drawing might be of somebody: whether
it is one is told by how many neighbouring pixels are the same, which in a drawing with plain areas are most, and in a photograph few. What
counts as a photograph needs the consent of whoever it shows (``makar.provenance.consent``, scope face).
"""

import dataclasses
import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from makar.errors import UsageError
from makar.generation.mouths import SHAPES

SIZE, LARGEST_SIZE = 256, 512
FINER = 4
MARK = "AI generated"
DRAWN_SHARE = 0.5
"""Share of neighbouring pixels that are the same from which on a picture counts as a drawing."""

SKIN, LINE, HAIR, WHITE, BACK = (236, 188, 150), (70, 40, 35), (92, 60, 40), (250, 250, 248), (214, 228, 240)
LIPS, DARK, TONGUE = (190, 80, 80), (80, 20, 25), (214, 110, 110)


@dataclasses.dataclass(frozen=True)
class Mouth:
    """One of the shapes, in widths of the mouth: how wide, how far open, and what is seen between the lips."""

    wide: float
    open: float
    teeth: bool = False
    tongue: bool = False
    bites: bool = False


MOUTHS = {
    "A": Mouth(0.85, 0.0),
    "B": Mouth(1.0, 0.22, teeth=True),
    "C": Mouth(0.95, 0.45, teeth=True),
    "D": Mouth(1.0, 0.8, teeth=True, tongue=True),
    "E": Mouth(0.7, 0.5),
    "F": Mouth(0.42, 0.34),
    "G": Mouth(0.85, 0.2, teeth=True, bites=True),
    "H": Mouth(0.9, 0.48, teeth=True, tongue=True),
    "X": Mouth(0.8, 0.0),
}
assert set(MOUTHS) == set(SHAPES), "every shape is drawn"


@dataclasses.dataclass(frozen=True)
class Anchor:
    """Where the mouth of a drawing is, in its pixels: centre and width."""

    x: int
    y: int
    width: int


class Avatar:
    """A face in every shape of its mouth.

    Args:
        drawing: uint8 ``[rows, columns, 3]``; ``None`` for the face of our own.
        anchor: Where its mouth goes; of a drawing only, and then needed.

    Raises:
        UsageError: The mouth is not in the drawing, or there is no place for it.
    """

    def __init__(self, drawing: np.ndarray | None = None, anchor: Anchor | None = None) -> None:
        if (drawing is None) != (anchor is None):
            raise UsageError(
                "a drawing without a place for its mouth, or a place without a drawing",
                expected="both, the place as X,Y,WIDTH in pixels of the drawing",
            )
        scale = 1.0
        if drawing is not None:
            scale = min(1.0, LARGEST_SIZE / max(drawing.shape[:2]))
        self._drawing, self._scale = drawing, scale
        rows, columns = (SIZE, SIZE) if drawing is None else drawing.shape[:2]
        if anchor is not None and not (
            0 <= anchor.x < columns and 0 <= anchor.y < rows and 4 <= anchor.width <= columns
        ):
            raise UsageError(
                f"a mouth at {anchor.x},{anchor.y} of {anchor.width} pixels in a drawing of {columns} x {rows}",
                expected="one inside the drawing",
            )
        self._anchor = Anchor(SIZE // 2, 176, 76) if anchor is None else anchor
        # Even sides, because films of most codings have no others.
        self.size = (max(2, round(columns * scale) // 2 * 2), max(2, round(rows * scale) // 2 * 2))
        self.draw = functools.lru_cache(maxsize=64)(self._draw)
        """From the shape of the mouth and whether the eyes are closed to the image, uint8 ``[rows, columns, 3]``."""

    def _draw(self, shape: str, is_blinking: bool) -> np.ndarray:
        if self._drawing is None:
            image = _face(is_blinking)
        else:
            wide, high = self._drawing.shape[1], self._drawing.shape[0]
            factor = FINER * self._scale
            image = Image.fromarray(self._drawing).resize(
                (round(wide * factor), round(high * factor)), Image.Resampling.LANCZOS
            )
        pen = ImageDraw.Draw(image)
        scale = FINER * self._scale
        _mouth(pen, MOUTHS[shape], self._anchor.x * scale, self._anchor.y * scale, self._anchor.width * scale)
        small = image.resize(self.size, Image.Resampling.LANCZOS)
        _mark(small)
        return np.asarray(small.convert("RGB"))


def is_drawing(pixels: np.ndarray) -> bool:
    """Return whether a picture has the plain areas of a drawing.

    Args:
        pixels: uint8 ``[rows, columns, channels]``.
    """
    same = (pixels[:, 1:] == pixels[:, :-1]).all(axis=2)
    return bool(same.size) and float(same.mean()) >= DRAWN_SHARE


def _face(is_blinking: bool) -> Image.Image:
    """Return a face without a mouth, four times too large."""
    image = Image.new("RGB", (SIZE * FINER, SIZE * FINER), BACK)
    pen = ImageDraw.Draw(image)

    def at(*places: float) -> tuple[float, ...]:
        return tuple(place * FINER for place in places)

    pen.ellipse(at(40, 14, 216, 200), fill=HAIR)
    pen.rounded_rectangle(at(88, 200, 168, 300), 20 * FINER, fill=(90, 120, 160))
    pen.rectangle(at(112, 190, 144, 230), fill=SKIN)
    pen.ellipse(at(56, 40, 200, 228), fill=SKIN, outline=LINE, width=2 * FINER)
    pen.chord(at(52, 24, 204, 150), 190, 350, fill=HAIR)
    for x in (98, 158):
        if is_blinking:
            pen.line(at(x - 14, 112, x + 14, 112), fill=LINE, width=3 * FINER)
        else:
            pen.ellipse(at(x - 15, 102, x + 15, 122), fill=WHITE, outline=LINE, width=2 * FINER)
            pen.ellipse(at(x - 7, 104, x + 7, 120), fill=(60, 90, 70))
        pen.arc(at(x - 18, 84, x + 18, 108), 200, 340, fill=HAIR, width=4 * FINER)
    pen.arc(at(118, 118, 138, 150), 20, 160, fill=LINE, width=2 * FINER)
    return image


def _mouth(pen: ImageDraw.ImageDraw, shape: Mouth, x: float, y: float, width: float) -> None:
    wide, high = width * shape.wide / 2, width * shape.open / 2
    line = max(1, round(width / 22))
    if not shape.open:
        pen.line((x - wide, y, x + wide, y), fill=LIPS, width=2 * line)
        return
    box = (x - wide, y - high, x + wide, y + high)
    pen.ellipse(box, fill=DARK, outline=LIPS, width=2 * line)
    if shape.tongue:
        pen.chord((x - 0.7 * wide, y - 0.1 * high, x + 0.7 * wide, y + 0.9 * high), 0, 360, fill=TONGUE)
    if shape.teeth:
        lower = y + (0.5 if shape.bites else -0.35) * high
        pen.chord((x - 0.8 * wide, y - 0.85 * high, x + 0.8 * wide, 2 * lower - y + 0.85 * high), 180, 360, fill=WHITE)
    pen.ellipse(box, outline=LIPS, width=2 * line)


def _mark(image: Image.Image) -> None:
    """Write that it was generated, so that it is seen and not only stated."""
    pen, high = ImageDraw.Draw(image), image.size[1]
    font = ImageFont.load_default(max(9, high // 18))
    left, top, right, bottom = pen.textbbox((0, 0), MARK, font=font)
    pen.rectangle((0, high - (bottom - top) - 8, right - left + 10, high), fill=(0, 0, 0))
    pen.text((5, high - (bottom - top) - 5 - top), MARK, fill=(255, 255, 255), font=font)
