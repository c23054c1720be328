"""Three shapes in four colours that move in four directions: 960 videos with captions, computed and the same on every machine.

A video is eight frames of 32 x 32 pixels at eight a second: a disc, a square or a triangle on a dark ground that goes left, right, up or
down, evenly and without leaving the picture. The caption says all three, the label the direction. Size, place and speed are drawn from a
generator that its number seeds. What is in a video can be read off its pixels exactly (``read_shape``), so a model can be judged by it.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterator

import numpy as np

from makar.data.builtin.computed import LICENCE, ComputedSource
from makar.data.clip import Clip
from makar.data.document import Document

SIDE, FRAMES, RATE_HZ = 32, 8, 8.0
EACH = 20
VERSION = 1
FINER = 4
"""Each pixel is the mean of so many places along each side, so that edges are soft and slow movements are seen."""

SHAPES = ("disc", "square", "triangle")
COLOURS = {"red": (230, 60, 50), "green": (60, 200, 80), "blue": (70, 110, 240), "yellow": (240, 220, 60)}
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
GROUND = (24, 24, 32)
LEAST_CONTRAST = 40


@dataclasses.dataclass(frozen=True)
class Moving:
    """What a video shows."""

    shape: str
    colour: str
    direction: str

    @property
    def caption(self) -> str:
        """The same in words."""
        return f"a {self.colour} {self.shape} moves {self.direction}"


ALL = tuple(Moving(*one) for one in itertools.product(SHAPES, COLOURS, DIRECTIONS))


class ShapesSource(ComputedSource):
    """One document a video."""

    name, medium = "shapes", "video"
    kinds, each = ALL, EACH
    size_bytes = EACH * len(ALL) * FRAMES * SIDE * SIDE * 3
    note = f"{len(ALL)} kinds, {EACH} videos of each, {FRAMES} frames of {SIDE} x {SIDE} pixels"
    follows_from = f"shapes\t{VERSION}\t{SIDE}\t{FRAMES}\t{EACH}"

    def document(self, kind: Moving, number: int) -> Document:
        """Return one of them."""
        return Document(
            name=f"{kind.direction}/{kind.colour}-{kind.shape}-{number:03d}",
            read=functools.partial(_one, kind, number),
            label=kind.direction,
            caption=kind.caption,
            licence=LICENCE,
        )


def shape_clip(moving: Moving, number: int) -> Clip:
    """Return one of the videos.

    Args:
        moving: What it shows.
        number: Which of them.
    """
    seed = int.from_bytes(hashlib.sha256(f"{moving.caption} {number}".encode()).digest()[:8], "big")
    draw = np.random.default_rng(seed)
    radius, speed = draw.uniform(4.0, 5.5), draw.uniform(1.2, 2.0)
    way = np.array(DIRECTIONS[moving.direction], np.float64) * speed * (FRAMES - 1)
    low, high = radius + 1 + np.maximum(0, -way), SIDE - radius - 1 - np.maximum(0, way)
    start = draw.uniform(low, high)
    frames = [_frame(moving, start + way * step / (FRAMES - 1), radius) for step in range(FRAMES)]
    return Clip(np.stack(frames), RATE_HZ)


def read_shape(frames: np.ndarray) -> Moving | None:
    """Return what a video of this kind shows, read off its pixels; ``None`` where nothing moves on a ground.

    Args:
        frames: uint8 ``[frames, height, width, 3]``.
    """
    pixels = frames.astype(np.float64)
    weight = np.clip((np.abs(pixels - np.array(GROUND)).max(-1) - LEAST_CONTRAST) / LEAST_CONTRAST, 0, 1)
    mass = weight.sum((1, 2))
    if mass.min() < SIDE / 2:
        return None
    rows, columns = np.mgrid[: frames.shape[1], : frames.shape[2]]
    places = np.stack([(weight * columns).sum((1, 2)) / mass, (weight * rows).sum((1, 2)) / mass], 1)
    way = places[-1] - places[0]
    mean = (pixels * weight[..., None]).sum((0, 1, 2)) / weight.sum()
    colour = min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))
    direction = max(DIRECTIONS, key=lambda name: float(way @ np.array(DIRECTIONS[name])))
    return Moving(_shape_of(weight[0] > 0.5), colour, direction)


def _shape_of(is_shown: np.ndarray) -> str:
    rows = np.flatnonzero(is_shown.any(1))
    columns = np.flatnonzero(is_shown.any(0))
    if not len(rows):
        return SHAPES[0]
    box = is_shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # A square fills its box, a disc 79 % of it, a triangle half of it.
    filled = float(box.mean())
    return "triangle" if filled < 0.68 else "disc" if filled < 0.9 else "square"


def _frame(moving: Moving, place: np.ndarray, radius: float) -> np.ndarray:
    grid = (np.arange(SIDE * FINER) + 0.5) / FINER
    right, down = grid[None, :] - place[0], grid[:, None] - place[1]
    if moving.shape == "disc":
        inside = right**2 + down**2 <= radius**2
    elif moving.shape == "square":
        inside = np.maximum(np.abs(right), np.abs(down)) <= 0.85 * radius
    else:
        inside = (down <= radius) & (2 * np.abs(right) <= down + radius)
    share = inside.reshape(SIDE, FINER, SIDE, FINER).mean((1, 3))[..., None]
    return np.rint(share * np.array(COLOURS[moving.colour]) + (1 - share) * np.array(GROUND)).astype(np.uint8)


def _one(moving: Moving, number: int) -> Iterator[Clip]:
    return iter([shape_clip(moving, number)])
