"""Maps of an image that a person could draw by hand or another program give: a soft sketch, segments, and something like depth.

Each takes uint8 images ``[batch, channels, height, width]`` and gives one uint8 plane of the same size, the same at every call.

* ``sketch``: white lines on black where a pixel differs from its surroundings, softer than edges and with their strength.
* ``segments``: places of similar colour as one grey value each: k-means over the colours of the image (Lloyd 1982), begun at their shares
  of brightness, so that nothing is drawn by lot; a segment has the mean brightness of its places.
* ``depth``: brightness so blurred that only the large masses are left, spread over the whole range. What is near is often brighter or
  darker as a whole; this is no measurement of depth, but a map of the same kind, which a real one can take the place of.
"""

import numpy as np
from jaxtyping import Float, UInt8

Images = UInt8[np.ndarray, "batch channels height width"]
Plane = UInt8[np.ndarray, "batch 1 height width"]

SKETCH_STRENGTH = 4.0
"""A difference of a quarter of the range from the surroundings is a white line."""

SEGMENTS, ROUNDS = 4, 4
DEPTH_SHARE = 4
"""Side of the square over which brightness is blurred, as a part of the side of the image."""


def grey(images: Images) -> UInt8[np.ndarray, "batch 1 height width"]:
    """Return brightness as Pillow computes it (ITU-R 601-2 luma); alpha is laid over white.

    Args:
        images: 1, 3 or 4 channels.
    """
    colour = images
    if images.shape[1] == 4:
        alpha = images[:, 3:].astype(np.uint16)
        colour = ((images[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    if colour.shape[1] == 1:
        return colour
    red, green, blue = (colour[:, channel : channel + 1].astype(np.uint32) for channel in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)


def sketch(images: Images) -> Plane:
    """Return soft white lines on black.

    Args:
        images: 1, 3 or 4 channels.
    """
    brightness = grey(images)[:, 0].astype(np.float32)
    difference = np.abs(brightness - _blurred(brightness, 1))
    return np.clip(np.rint(SKETCH_STRENGTH * difference), 0, 255).astype(np.uint8)[:, None]


def segments(images: Images) -> Plane:
    """Return the brightness of the segment of every place.

    Args:
        images: 1, 3 or 4 channels.
    """
    batch, channels, height, width = images.shape
    brightness = grey(images).reshape(batch, -1).astype(np.float32)
    colours = images.reshape(batch, channels, -1).swapaxes(1, 2).astype(np.float32)
    ranks = np.argsort(np.argsort(brightness, axis=1, kind="stable"), axis=1, kind="stable")
    chosen = ranks * SEGMENTS // ranks.shape[1]
    for _ in range(ROUNDS):
        distance = np.stack(
            [np.square(colours - _mean_of(colours, chosen == number)[:, None]).sum(2) for number in range(SEGMENTS)]
        )
        chosen = distance.argmin(0)
    shown = np.zeros(brightness.shape, np.float32)
    for number in range(SEGMENTS):
        inside = chosen == number
        shown += inside * _mean_of(brightness[:, :, None], inside)
    return np.rint(shown).astype(np.uint8).reshape(batch, 1, height, width)


def depth(images: Images) -> Plane:
    """Return blurred brightness over the whole range; of an image of one brightness, grey.

    Args:
        images: 1, 3 or 4 channels.
    """
    brightness = grey(images)[:, 0].astype(np.float32)
    radius = max(1, max(brightness.shape[1:]) // (2 * DEPTH_SHARE))
    blurred = _blurred(_blurred(brightness, radius), radius)
    low, high = (part(blurred, axis=(1, 2), keepdims=True) for part in (np.min, np.max))
    spread = np.where(high - low > 1.0, (blurred - low) / np.maximum(high - low, 1.0), 0.5)
    return np.rint(255 * spread).astype(np.uint8)[:, None]


def _mean_of(
    values: Float[np.ndarray, "batch places channels"], inside: np.ndarray
) -> Float[np.ndarray, "batch channels"]:
    """Return the mean over the chosen places of each image; of none, a value far from all."""
    counts = inside.sum(1)[:, None]
    total = np.einsum("bpc,bp->bc", values, inside.astype(np.float32))
    return np.where(counts > 0, total / np.maximum(counts, 1), -1e4).astype(np.float32)


def _blurred(values: Float[np.ndarray, "batch height width"], radius: int) -> Float[np.ndarray, "batch height width"]:
    """Return the mean over squares of ``2 * radius + 1`` pixels a side; the border goes on beyond the image."""
    size = 2 * radius + 1
    for axis in (1, 2):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (radius, radius)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, padding, mode="edge"), size, axis=axis)
        values = windows.mean(-1, dtype=np.float32)
    return values
