"""Images as outlines: flat areas of one colour traced into an SVG by vtracer, with the public mark of generated content inside.

vtracer (MIT) finds areas of near colours and fits splines to their borders, in time linear in the pixels; it is an optional package (extra
``design``). Small images are enlarged first and only then brought to their palette: borders of areas then follow the shape, and not the
stairs of its pixels. A path is opaque or not there, so half opacity is rounded.
"""

import io
import re
from typing import Any

import numpy as np
from PIL import Image

from makar.codecs.image_fit import with_channels
from makar.generation.palette import OPAQUE, in_colours, written
from makar.generation.placement import resized
from makar.optional import library
from makar.provenance.content import Drawing
from makar.provenance.embedding import SOURCE_TYPE, XMP_PACKETS

PACKAGE = "vtracer"
TRACED_SIDE = 256
"""Longer side that is traced, in pixels, where the image is smaller."""

SPECKLE = 8
"""Areas of fewer pixels than this number squared, after enlarging, belong to their neighbours."""


def tracer() -> Any:
    """Return the package.

    Raises:
        MissingExtraError: It is not installed; the message names the command.
    """
    return library(PACKAGE, extra="design")


def traced(pixels: np.ndarray, *, colours: np.ndarray | None = None) -> Drawing:
    """Return an image as a drawing of filled paths.

    Args:
        pixels: uint8 ``[height, width, 1, 3 or 4]``; what is transparent stays so.
        colours: uint8 ``[colours, 3]``; every path then has one of them. ``None`` lets the tracer find the colours.

    Raises:
        MissingExtraError: vtracer is not installed.
    """
    height, width = pixels.shape[:2]
    factor = max(1, -(-TRACED_SIDE // max(height, width)))
    enlarged = resized(with_channels(pixels, 4), height=factor * height, width=factor * width)
    if colours is not None:
        enlarged = in_colours(enlarged, colours)
    alpha = np.where(enlarged[:, :, 3:] >= OPAQUE, 255, 0).astype(np.uint8)
    enlarged = np.concatenate([enlarged[:, :, :3], alpha], axis=2)
    buffer = io.BytesIO()
    Image.fromarray(enlarged).save(buffer, "PNG")
    text = tracer().convert_raw_image_to_svg(
        buffer.getvalue(),
        img_format="png",
        colormode="color",
        hierarchical="stacked",
        mode="spline",
        filter_speckle=SPECKLE,
        # With a palette every area has one colour already: nothing is to be merged.
        color_precision=6 if colours is None else 8,
        layer_difference=16 if colours is None else 0,
        corner_threshold=60,
        length_threshold=4.0,
        splice_threshold=45,
        path_precision=2,
    )
    if colours is not None:
        text = re.sub(r'fill="#([0-9A-Fa-f]{6})"', lambda found: f'fill="{_nearest(found[1], colours)}"', text)
    # The size is that of the image; the paths keep the larger numbers they were traced in.
    head = (
        f'<svg version="1.1" xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width * factor} {height * factor}">\n<metadata>{XMP_PACKETS[SOURCE_TYPE]}</metadata>'
    )
    return Drawing(re.sub(r"<svg [^>]*>", lambda _: head, text, count=1))


def _nearest(digits: str, colours: np.ndarray) -> str:
    colour = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(1, 1, 3)
    return written(in_colours(colour, colours)[0])[0]
