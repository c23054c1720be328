"""Where the frame of a model lies over an image of another size: what the model sees of it, and how what it made goes back.

The frame has the model's shape and whole pixels. With the fit ``crop`` it is the largest that lies inside the image, in the middle unless
what is to be made anew lies elsewhere; with ``pad``, or where no inner frame covers that, it is the smallest that holds the image. What
goes back is resampled to the frame, and the pixels that are known never pass through it.
"""

import dataclasses

import numpy as np
from PIL import Image

from makar.codecs.image_fit import border_colour, with_channels

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """A rectangle of an image, in pixels; it may reach beyond the image.

    Attributes:
        left: Column at which it begins.
        top: Row at which it begins.
        width: Columns.
        height: Rows.
    """

    left: int
    top: int
    width: int
    height: int


def place_frame(
    rows: int, columns: int, *, height: int, width: int, fit: str, cover: np.ndarray | None = None
) -> Frame:
    """Return the frame of a model over an image.

    Args:
        rows: Of the image.
        columns: Of the image.
        height: Of the model.
        width: Of the model.
        fit: ``"crop"`` or ``"pad"``, as the codec of the model fits images.
        cover: bool ``[rows, columns]``: what must lie inside the frame.
    """
    inner = min(rows / height, columns / width)
    frame_rows, frame_columns = _sides(inner, height, width)
    frame_rows, frame_columns = min(frame_rows, rows), min(frame_columns, columns)
    if fit == "crop":
        top = _start(frame_rows, rows, np.asarray(cover.any(1)) if cover is not None else None)
        left = _start(frame_columns, columns, np.asarray(cover.any(0)) if cover is not None else None)
        if top is not None and left is not None:
            return Frame(left=left, top=top, width=frame_columns, height=frame_rows)
    outer = max(rows / height, columns / width)
    frame_rows, frame_columns = _sides(outer, height, width)
    frame_rows, frame_columns = max(frame_rows, rows), max(frame_columns, columns)
    return Frame(
        left=-((frame_columns - columns) // 2), top=-((frame_rows - rows) // 2), width=frame_columns, height=frame_rows
    )


def see(pixels: np.ndarray, frame: Frame, *, height: int, width: int, fit: str) -> np.ndarray:
    """Return what lies in a frame at the size of the model; beyond the image, its border goes on.

    Args:
        pixels: uint8 ``[rows, columns, channels]``.
        frame: Where to look.
        height: Rows wanted.
        width: Columns wanted.
        fit: With ``"pad"`` the rest has the colour of the border, as the model learned it; with ``"crop"`` the border is drawn out.
    """
    inside, margins = _cut(pixels, frame)
    if fit == "pad" and any(map(any, margins)):
        around = np.empty((frame.height, frame.width, pixels.shape[2]), np.uint8)
        around[:] = border_colour(pixels)
        (top, _), (left, _) = margins
        around[top : top + len(inside), left : left + inside.shape[1]] = inside
    else:
        around = np.pad(inside, (*margins, (0, 0)), mode="edge")
    return resized(around, height=height, width=width)


def see_mask(mask: np.ndarray, frame: Frame, *, height: int, width: int, is_new_beyond: bool) -> np.ndarray:
    """Return a mask in a frame at the size of the model: new wherever any pixel below is new.

    Args:
        mask: bool ``[rows, columns]``, true where the image is to be made anew.
        frame: Where to look.
        height: Rows wanted.
        width: Columns wanted.
        is_new_beyond: What is beyond the image.
    """
    inside, margins = _cut(mask[:, :, None], frame)
    whole = np.pad(inside[:, :, 0], margins, constant_values=is_new_beyond)
    return pooled(whole, height=height, width=width)


def pooled(mask: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Return a mask at another size: true wherever any pixel below is true.

    >>> pooled(np.eye(4, dtype=bool), height=2, width=2).tolist()
    [[True, False], [False, True]]
    """
    rows, columns = mask.shape
    sums = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    top, bottom = _cells(rows, height)
    left, right = _cells(columns, width)
    counts = (
        sums[np.ix_(bottom, right)] - sums[np.ix_(top, right)] - sums[np.ix_(bottom, left)] + sums[np.ix_(top, left)]
    )
    return counts > 0


def put_back(pixels: np.ndarray, made: np.ndarray, mask: np.ndarray, *, frame: Frame) -> np.ndarray:
    """Return an image with what was made where the mask is true; everywhere else it is the same, bit for bit.

    Args:
        pixels: uint8 ``[rows, columns, channels]``.
        made: uint8 ``[height, width, channels of the model]``, what the model made of the frame.
        mask: bool ``[rows, columns]``; all of it lies inside the frame.
        frame: Where the model looked.
    """
    rows, columns, channels = pixels.shape
    around = with_channels(resized(made, height=frame.height, width=frame.width), channels)
    whole = pixels.copy()
    top, left = max(0, frame.top), max(0, frame.left)
    bottom, right = min(rows, frame.top + frame.height), min(columns, frame.left + frame.width)
    inside = around[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left]
    part = mask[top:bottom, left:right]
    whole[top:bottom, left:right][part] = inside[part]
    return whole


def resized(pixels: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Return an image at another size by Lanczos resampling; untouched where it has that size.

    Args:
        pixels: uint8 ``[rows, columns, channels]``, 1, 3 or 4 channels.
        height: Rows wanted.
        width: Columns wanted.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    channels = pixels.shape[2]
    picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, _MODES[channels])
    array = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))
    return array[:, :, None] if array.ndim == 2 else array


def _sides(scale: float, height: int, width: int) -> tuple[int, int]:
    return max(1, round(scale * height)), max(1, round(scale * width))


def _start(length: int, total: int, wanted: np.ndarray | None) -> int | None:
    """Return where a stretch begins, as near to the middle as what is wanted lets it; ``None`` where it cannot hold that."""
    middle = (total - length) // 2
    if wanted is None or not wanted.any():
        return middle
    places = np.flatnonzero(wanted)
    first, last = int(places[0]), int(places[-1])
    if last - first + 1 > length:
        return None
    return max(min(middle, first), last + 1 - length, 0)


def _cells(total: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of ``count`` cells begins and ends in ``total`` pixels; every cell has at least one."""
    start = np.arange(count) * total // count
    end = -(-(np.arange(count) + 1) * total // count)
    return start, np.maximum(end, start + 1)


def _cut(pixels: np.ndarray, frame: Frame) -> tuple[np.ndarray, tuple[tuple[int, int], tuple[int, int]]]:
    """Return the part of an image inside a frame, and how far the frame reaches beyond it at each side."""
    rows, columns = pixels.shape[:2]
    bottom, right = frame.top + frame.height, frame.left + frame.width
    margins = (
        (max(0, -frame.top), max(0, bottom - rows)),
        (max(0, -frame.left), max(0, right - columns)),
    )
    inside = pixels[max(0, frame.top) : min(rows, bottom), max(0, frame.left) : min(columns, right)]
    return inside, margins
