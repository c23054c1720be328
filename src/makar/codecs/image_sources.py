"""A source computed from the image itself: its grey, a reduced copy, its edges or another map; never stored, as it follows from the target.

Each takes uint8 images ``[batch, channels, height, width]`` and gives uint8 images, the same at every call. Reducing is the mean over
blocks, so that an enlarged image can be held to agree with what it was made from (``makar.generation.enlarging``). Edges are the first
three steps of Canny (1986): smoothing, the slope by Sobel's filters, and of each slope only its ridge; a threshold stands for the rest.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.image_maps import Images, depth, grey, segments, sketch

EDGE_THRESHOLD = 96.0
"""Least slope of an edge, in steps of 255 over the width of Sobel's filter: a step in brightness of about a tenth of the range."""


def reduced(images: Images, *, factor: int) -> UInt8[np.ndarray, "batch channels rows columns"]:
    """Return the mean of every block of ``factor`` x ``factor`` pixels, rounded.

    Args:
        images: Sides that are multiples of the factor.
        factor: Pixels of a side of a block.
    """
    batch, channels, height, width = images.shape
    blocks = images.reshape(batch, channels, height // factor, factor, width // factor, factor)
    return np.rint(blocks.mean((3, 5), dtype=np.float32)).astype(np.uint8)


def edges(images: Images) -> UInt8[np.ndarray, "batch 1 height width"]:
    """Return 255 on edges and 0 elsewhere.

    Args:
        images: 1, 3 or 4 channels.
    """
    brightness = _smooth(grey(images)[:, 0].astype(np.float32))
    around = np.pad(brightness, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down, across = _slope(around), _slope(around.swapaxes(1, 2)).swapaxes(1, 2)
    length = np.hypot(down, across)
    padded = np.pad(length, ((0, 0), (1, 1), (1, 1)))
    height, width = length.shape[1:]

    def neighbour(rows: int, columns: int) -> np.ndarray:
        return padded[:, 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    # The neighbours across the edge: along the slope, rounded to eight directions. Of two equals the first is the ridge.
    steep = np.abs(down) > 2.4142 * np.abs(across)
    flat = np.abs(across) > 2.4142 * np.abs(down)
    falling = np.sign(down) == np.sign(across)
    directions = ((steep, (1, 0)), (flat, (0, 1)), (falling, (1, 1)), (np.ones_like(steep), (1, -1)))
    ridge, open_yet = np.zeros(length.shape, bool), np.ones(length.shape, bool)
    for chosen, (rows, columns) in directions:
        highest = (length >= neighbour(rows, columns)) & (length > neighbour(-rows, -columns))
        ridge |= open_yet & chosen & highest
        open_yet &= ~chosen
    return (255 * (ridge & (length >= EDGE_THRESHOLD))).astype(np.uint8)[:, None]


def _smooth(values: np.ndarray) -> np.ndarray:
    """Blur with 1 2 1 along both sides."""
    for axis in (1, 2):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (1, 1)
        padded = np.pad(values, padding, mode="edge").swapaxes(0, axis)
        values = ((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4).swapaxes(0, axis)
    return values


def _slope(around: np.ndarray) -> np.ndarray:
    """Return Sobel's slope along the rows of images with a border of one pixel."""
    rows = around[:, 2:] - around[:, :-2]
    return rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]


def source_of_images(images: Images, config: ImageCodecConfig) -> UInt8[np.ndarray, "batch planes rows columns"]:
    """Return the source that a codec makes of its own images.

    Args:
        images: uint8 targets.
        config: Says which source; one that is computed.
    """
    ways: dict[str, Callable[[], np.ndarray]] = {
        "grey": lambda: grey(images),
        "reduced": lambda: reduced(images, factor=config.reduction),
        "edges": lambda: edges(images),
        "sketch": lambda: sketch(images),
        "segments": lambda: segments(images),
        "depth": lambda: depth(images),
    }
    return ways[config.source]()
