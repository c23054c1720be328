"""Pictures of a report as PNG bytes: a grid of images, a strip, pairs with their nearest training image, curves of the losses.

Generated pictures carry the IPTC word for content made by a trained model, like every other thing that leaves Makar.
"""

import io
import math
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from makar.provenance.embedding import SOURCE_TYPE

GAP = 2
LEAST_SIDE = 56
"""Small images are enlarged by whole factors to at least as many pixels, so that a pixel stays a pixel."""


def grid_png(images: list[np.ndarray], *, columns: int) -> bytes:
    """Return images side by side.

    Args:
        images: uint8 ``[height, width, channels]``, all of one size, at least one.
        columns: Images in a row.
    """
    tiles = [_tile(image) for image in images]
    height, width = tiles[0].shape[:2]
    rows = math.ceil(len(tiles) / columns)
    columns = min(columns, len(tiles))
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 128, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = GAP + index // columns * (height + GAP), GAP + index % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return _png(sheet)


def pairs_png(samples: list[np.ndarray], nearest: list[np.ndarray], *, columns: int) -> bytes:
    """Return samples, each above its nearest training image.

    Args:
        samples: uint8 ``[height, width, channels]``.
        nearest: The same number, of any size.
        columns: Pairs in a row.
    """
    pairs = []
    for sample, near in zip(samples, nearest):
        tile = _tile(sample)
        other = Image.fromarray(_tile(near)).resize((tile.shape[1], tile.shape[0]), Image.Resampling.NEAREST)
        pairs.append(np.concatenate([tile, np.asarray(other)], 0))
    return grid_png(pairs, columns=columns)


def curves_png(curve: list[dict[str, Any]]) -> bytes | None:
    """Return the losses of a training over its time, ``None`` when there is nothing to draw.

    Args:
        curve: Progress and validation events: ``seconds``, ``stage`` and ``loss`` or ``inner_loss``.
    """
    # Matplotlib takes a quarter of a second to import, and most of Makar does without.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = False
    for stage in dict.fromkeys(str(event["stage"]) for event in curve):
        for name, label, style in (("loss", "training", "-"), ("inner_loss", "validation", "o-")):
            points = [
                (event["seconds"], event[name])
                for event in curve
                if event["stage"] == stage and isinstance(event.get(name), int | float) and math.isfinite(event[name])
            ]
            if points:
                seconds, losses = zip(*points)
                (drawn_line,) = axes.plot(seconds, losses, style, label=f"{stage}: {label}", markersize=3)
                drawn_line.set_alpha(0.6 if name == "loss" else 1.0)
                drawn = True
    if not drawn:
        return None
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _tile(image: np.ndarray) -> np.ndarray:
    """Return an image with three channels, alpha over white, enlarged by a whole factor."""
    values: np.ndarray = image.astype(np.float32)
    if values.shape[2] == 4:
        alpha = values[:, :, 3:] / 255
        values = values[:, :, :3] * alpha + 255 * (1 - alpha)
    if values.shape[2] == 1:
        values = values.repeat(3, 2)
    factor = max(1, math.ceil(LEAST_SIDE / min(values.shape[:2])))
    return np.rint(values).astype(np.uint8).repeat(factor, 0).repeat(factor, 1)


def _png(pixels: np.ndarray) -> bytes:
    info = PngInfo()
    info.add_itxt("DigitalSourceType", SOURCE_TYPE)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True, pnginfo=info)
    return content.getvalue()
