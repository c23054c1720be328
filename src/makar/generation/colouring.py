"""Colours from a model onto a grey image of any size: the brightness stays that of the image, only the colours are the model's."""

import numpy as np
from PIL import Image

from makar.codecs.image_fit import with_channels
from makar.generation.placement import Frame, resized


def with_colours_of(pixels: np.ndarray, made: np.ndarray, *, frame: Frame) -> np.ndarray:
    """Return an image in its own brightness with the colours of another.

    Args:
        pixels: uint8 ``[rows, columns, channels]``, the image as it was given.
        made: uint8 ``[height, width, channels]``, what the model made of the frame.
        frame: The part of the image that the model saw; the rest stays grey.
    """
    rows, columns = pixels.shape[:2]
    brightness = with_channels(pixels, 1)
    whole = np.repeat(brightness, 3, axis=2)
    seen = Image.fromarray(with_channels(resized(made, height=frame.height, width=frame.width), 3))
    colours = np.asarray(seen.convert("YCbCr"))
    top, left = max(0, frame.top), max(0, frame.left)
    bottom, right = min(rows, frame.top + frame.height), min(columns, frame.left + frame.width)
    inside = colours[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left].copy()
    inside[:, :, 0] = brightness[top:bottom, left:right, 0]
    whole[top:bottom, left:right] = np.asarray(Image.fromarray(inside, "YCbCr").convert("RGB"))
    return whole
