"""Colours from a model onto a grey image of any size: the brightness stays that of the image, exactly, only the colours are the model's.

An image of another shape than the model's is seen through frames that overlap and cover it, and their colours are blended. A colour that
its brightness leaves no room for is made paler until it fits.
"""

from collections.abc import Callable, Sequence

import numpy as np

from makar.codecs.image_fit import with_channels
from makar.codecs.image_sources import grey
from makar.generation.enlarging import falling_weights, tiles_of
from makar.generation.placement import Frame, place_frame, resized, see

LUMA = np.array([19595, 38470, 7471]) / 65536
"""Of red, green and blue in brightness, as Pillow has it (ITU-R 601-2)."""


def coloured(
    pixels: np.ndarray,
    make: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]],
    *,
    size: tuple[int, int],
    fit: str,
) -> np.ndarray:
    """Return an image in its own brightness with the colours that a model gives it.

    Args:
        pixels: uint8 ``[rows, columns, channels]``.
        make: From images uint8 ``[height, width, channels]`` to coloured ones of that size.
        size: Height and width of what the model makes.
        fit: ``"crop"`` or ``"pad"``, as the codec of the model fits images.

    Returns:
        uint8 ``[rows, columns, 3]``.
    """
    height, width = size
    rows, columns = pixels.shape[:2]
    frames = _frames(pixels, height=height, width=width, fit=fit)
    made = make([see(pixels, frame, height=height, width=width, fit=fit) for frame in frames])
    total, weight = np.zeros((rows, columns, 3)), np.zeros((rows, columns, 1))
    for frame, picture in zip(frames, made, strict=True):
        colour = with_channels(resized(picture, height=frame.height, width=frame.width), 3).astype(np.float64)
        top, left = max(0, frame.top), max(0, frame.left)
        bottom, right = min(rows, frame.top + frame.height), min(columns, frame.left + frame.width)
        inside = np.s_[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left]
        falling = falling_weights(frame.height, frame.width)[inside]
        total[top:bottom, left:right] += falling * (colour - (colour @ LUMA)[:, :, None])[inside]
        weight[top:bottom, left:right] += falling
    return in_brightness(with_channels(pixels, 1)[:, :, 0], total / weight)


def in_brightness(brightness: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return an image of exactly this brightness with these colours, paler where there is no room for them.

    Args:
        brightness: uint8 ``[rows, columns]``.
        colours: Red, green and blue above brightness ``[rows, columns, 3]``; their weighted sum is 0.
    """
    wanted = brightness.astype(np.float64)[:, :, None]
    over, under = colours.max(2, keepdims=True), -colours.min(2, keepdims=True)
    room = np.minimum((255 - wanted) / np.maximum(over, 1e-9), wanted / np.maximum(under, 1e-9)).clip(0, 1)
    found = np.rint(wanted + room * colours).clip(0, 255)
    # Rounding moves brightness by a step at most; a step of all three colours together moves it back.
    missing = brightness.astype(np.int64) - _brightness(found)
    found = (found + missing[:, :, None]).clip(0, 255)
    wrong = _brightness(found) != brightness
    found[wrong] = brightness[wrong][:, None]
    return found.astype(np.uint8)


def _brightness(colour: np.ndarray) -> np.ndarray:
    return grey(colour.astype(np.uint8).transpose(2, 0, 1)[None])[0, 0].astype(np.int64)


def _frames(pixels: np.ndarray, *, height: int, width: int, fit: str) -> list[Frame]:
    frame = place_frame(*pixels.shape[:2], height=height, width=width, fit=fit)
    if fit == "pad":
        return [frame]
    places = tiles_of(pixels, height=frame.height, width=frame.width)
    return [Frame(left=column, top=row, width=frame.width, height=frame.height) for row, column in places]
