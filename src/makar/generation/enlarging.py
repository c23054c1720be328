"""Enlarging an image of any size with a model of one size: overlapping tiles, each enlarged, blended where they meet.

Every tile is made with the same seed, so that flat areas look alike; the weights of a tile fall to its edges, so that no seam is seen.
At the end the mean of the pixels that stand for one pixel of the image is made that pixel again: what is added is detail and nothing else.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.image_fit import with_channels
from makar.errors import UnsupportedError
from makar.families.family_config import FamilyConfig
from makar.generation.image_slots import image_size
from makar.tensor_spec import SOURCE

OVERLAP_SHARE = 0.25
ROUNDS = 4
"""Shifts of blocks to their means; pixels that are black or white already cannot take their part, so one is not enough."""


@runtime_checkable
class EnlargesBy(Protocol):
    """A configuration of a family that enlarges by a fixed factor."""

    factor: int


def factor_of(family: FamilyConfig, codec: Codec) -> int:
    """Return by how much a family enlarges: what its configuration says, or its size over that of its source."""
    if isinstance(family, EnlargesBy):
        return family.factor
    accepted = family.accepts()
    if SOURCE not in accepted:
        return 1
    return max(1, image_size(codec)[0] // int(accepted[SOURCE].sizes[1] or 1))


def check_factor(asked: int, family: FamilyConfig, codec: Codec) -> None:
    """Refuse another factor than that of the model.

    Raises:
        UnsupportedError: It enlarges by another factor.
    """
    factor = factor_of(family, codec)
    if asked != factor:
        raise UnsupportedError(f"{asked} times as large", expected=f"{factor} times, which this model has learned")


def tiles_of(pixels: np.ndarray, *, height: int, width: int) -> list[tuple[int, int]]:
    """Return (row, column) at which tiles begin that cover an image and overlap.

    Args:
        pixels: ``[rows, columns, channels]``, at least one tile in size.
        height: Rows of a tile.
        width: Columns of a tile.
    """
    rows, columns = pixels.shape[:2]
    return [(row, column) for row in _starts(rows, height) for column in _starts(columns, width)]


def enlarged(
    pixels: np.ndarray,
    make: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]],
    *,
    size: tuple[int, int],
    factor: int,
) -> np.ndarray:
    """Return an image ``factor`` times as large.

    Args:
        pixels: uint8 ``[rows, columns, channels]``.
        make: From tiles uint8 ``[height / factor, width / factor, channels]`` to enlarged ones ``[height, width, channels]``.
        size: Height and width of what the model makes.
        factor: How many times the pixels along each side.
    """
    rows, columns = pixels.shape[:2]
    height, width = size[0] // factor, size[1] // factor
    missing = ((0, max(0, height - rows)), (0, max(0, width - columns)), (0, 0))
    whole = np.pad(pixels, missing, mode="edge")
    places = tiles_of(whole, height=height, width=width)
    made = make([whole[row : row + height, column : column + width] for row, column in places])
    channels = made[0].shape[2]
    total = np.zeros((whole.shape[0] * factor, whole.shape[1] * factor, channels))
    weight = np.zeros((*total.shape[:2], 1))
    falling = falling_weights(*size)
    for (row, column), tile in zip(places, made, strict=True):
        part = np.s_[row * factor : row * factor + size[0], column * factor : column * factor + size[1]]
        total[part] += falling * tile
        weight[part] += falling
    return agreeing((total / weight)[: rows * factor, : columns * factor], pixels, factor=factor)


def agreeing(made: np.ndarray, pixels: np.ndarray, *, factor: int) -> np.ndarray:
    """Return an enlarged image whose blocks have the mean of the pixels that they stand for.

    Args:
        made: ``[rows * factor, columns * factor, channels]`` in 0..255.
        pixels: uint8 ``[rows, columns, any channels]``, what was enlarged.
        factor: How many times the pixels along each side.

    Returns:
        uint8; a mean differs by at most half a step, but for rounding of its single pixels.
    """
    wanted = with_channels(pixels, made.shape[2]).astype(np.float64)
    whole = made.clip(0, 255).astype(np.float64)
    rows, columns = pixels.shape[:2]
    blocks = whole.reshape(rows, factor, columns, factor, -1)
    for _ in range(ROUNDS):
        missing = wanted - blocks.mean((1, 3))
        blocks = (blocks + missing[:, None, :, None]).clip(0, 255)
    # What is still missing, detail that there is no room for, is made weaker: around its own mean it cannot move it.
    detail = blocks - blocks.mean((1, 3), keepdims=True)
    middle = wanted[:, None, :, None]
    over, under = detail.max((1, 3), keepdims=True), -detail.min((1, 3), keepdims=True)
    room = np.minimum((255 - middle) / np.maximum(over, 1e-9), middle / np.maximum(under, 1e-9)).clip(0, 1)
    blocks = middle + room * detail
    return np.rint(blocks).astype(np.uint8).reshape(whole.shape)


def falling_weights(height: int, width: int) -> np.ndarray:
    """Return weights of the pixels of a tile that fall to its edges and are nowhere zero, ``[height, width, 1]``."""
    return np.minimum.outer(_tent(height), _tent(width))[:, :, None]


def _starts(total: int, length: int) -> list[int]:
    if total <= length:
        return [0]
    stride = max(1, length - max(1, int(OVERLAP_SHARE * length)))
    return [*range(0, total - length, stride), total - length]


def _tent(length: int) -> np.ndarray:
    places = np.arange(length) + 0.5
    return np.minimum(places, length - places)
