"""Near-duplicate images: a 64-bit perceptual hash finds candidates, a small picture of each confirms them.

The hash is the sign of the 64 lowest frequencies of the brightness against their median (C. Zauner, "Implementation and benchmarking
of perceptual image hash functions", 2010). Two hashes that differ in at most 3 bits agree in at least one of four 16-bit pieces,
and with 8 bits still often; only such pairs are compared. Small drawings of one kind share hashes without being copies; therefore
their 8 x 8 colour pictures must agree too, within a small share of their contrast. 200 bytes an image: a million images fit into 200 MB.
"""

import numpy as np
from PIL import Image

IMAGE_LIMIT = 1_000_000
BITS_DIFFERENT = 8
RELATIVE_DIFFERENCE = 0.09
"""Root mean square of the difference over the contrast; saved as JPEG of quality 60, nine of ten photographs stay below."""
WINDOW = 64
_SIDE = 16


def _cosines() -> np.ndarray:
    frequency, place = np.arange(8)[:, None], np.arange(_SIDE)[None, :]
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE)).astype(np.float32)


_COSINES = _cosines()
_WEIGHTS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return a small picture of an image, ``uint8 [16, 16, 3]``.

    Args:
        pixels: ``uint8 [height, width, channels]``.
    """
    step = max(1, min(pixels.shape[:2]) // 256)
    thinned = pixels[::step, ::step]
    if thinned.shape[2] == 4:
        # What is transparent has any colour; on white, two files that look alike are alike.
        opacity = thinned[..., 3:].astype(np.uint16)
        thinned = ((thinned[..., :3] * opacity + 255 * (255 - opacity)) // 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(thinned[..., 0] if thinned.shape[2] == 1 else thinned))
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.HAMMING))
    return np.repeat(small[..., None], 3, axis=2) if small.ndim == 2 else small


def sketches(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the perceptual hashes and the smallest pictures of thumbnails.

    Args:
        thumbnails: ``uint8 [images, 16, 16, 3]``.

    Returns:
        ``uint64 [images]`` and ``uint8 [images, 192]`` (8 x 8 pixels of three colours).
    """
    values = thumbnails.astype(np.float32)
    waves = (_COSINES @ values.mean(axis=3) @ _COSINES.T).reshape(-1, 64)
    # The constant says only how bright the picture is and would outweigh the median.
    bits = waves > np.median(waves[:, 1:], axis=1, keepdims=True)
    pictures = values.reshape(-1, 8, 2, 8, 2, 3).mean(axis=(2, 4))
    return (bits * _WEIGHTS).sum(axis=1, dtype=np.uint64), np.round(pictures).astype(np.uint8).reshape(-1, 192)


def near_pairs(hashes: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Return pairs of images that look alike, ``int64 [pairs, 2]`` with the earlier first.

    Args:
        hashes: ``uint64 [images]``.
        pictures: ``uint8 [images, 192]``.
    """
    found: list[np.ndarray] = []
    for piece in range(4):
        keys = (hashes >> np.uint64(16 * piece)) & np.uint64(0xFFFF)
        order = np.lexsort((hashes, keys))
        sorted_keys, sorted_hashes = keys[order], hashes[order]
        for distance in range(1, min(WINDOW, len(order) - 1) + 1):
            same = sorted_keys[distance:] == sorted_keys[:-distance]
            if not same.any():
                break
            close = same & (np.bitwise_count(sorted_hashes[distance:] ^ sorted_hashes[:-distance]) <= BITS_DIFFERENT)
            places = np.flatnonzero(close)
            left, right = order[places], order[places + distance]
            for start in range(0, len(left), 20_000):
                a, b = left[start : start + 20_000], right[start : start + 20_000]
                sure = _relative_difference(pictures[a], pictures[b]) <= RELATIVE_DIFFERENCE
                found.append(np.stack([np.minimum(a[sure], b[sure]), np.maximum(a[sure], b[sure])], axis=1))
    return np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 2), np.int64)


def _relative_difference(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Difference of pictures as a share of the contrast of the stronger one; a small object on an empty ground counts like a large one."""
    first, second = left.astype(np.float32), right.astype(np.float32)
    difference = np.sqrt(((first - second) ** 2).mean(axis=1))
    contrast = np.maximum(np.maximum(first.std(axis=1), second.std(axis=1)), 2.0)
    return difference / contrast
