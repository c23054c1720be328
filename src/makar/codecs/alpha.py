"""Images with opacity in the range of a model: colours multiplied by opacity, so that what nobody sees is the same everywhere.

A PNG may hold any colour under full transparency; a model would spend itself on it and show it at soft edges. Premultiplied, transparent is
one value, and averages of pixels are averages of what is seen (Porter & Duff 1984, section 3). The pixels in stores and files stay
straight. On the way back, opacity within ``SNAP`` of an end counts as the end: the last noise of a sampler would leave what is opaque
faintly clear.
"""

import numpy as np

SNAP = 6 / 255
LEAST_OPACITY = 1 / 255
CHANNELS = 4


def model_values(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in the range of a model.

    Args:
        pixels: uint8 ``[..., channels, height, width]``; of four channels the last is opacity.

    Returns:
        float32 of the same shape, -1..1, colours multiplied by opacity where there is one.
    """
    values = pixels.astype(np.float32)
    if values.ndim >= 3 and values.shape[-3] == CHANNELS:
        values[..., :3, :, :] *= values[..., 3:, :, :] / 255
    return values * np.float32(2 / 255) - 1


def pixels_of(values: np.ndarray) -> np.ndarray:
    """Return the pixels of one image of a model.

    Args:
        values: float ``[channels, height, width]``, -1..1, colours multiplied by opacity; what lies outside is clipped.

    Returns:
        uint8 ``[height, width, channels]``, colours straight; black where nothing is to be seen.
    """
    shown = np.clip(values, -1, 1).transpose(1, 2, 0)
    if shown.shape[2] == CHANNELS:
        parts = (shown + 1) / 2
        alpha = np.where(parts[:, :, 3:] > 1 - SNAP, 1, np.where(parts[:, :, 3:] < SNAP, 0, parts[:, :, 3:]))
        colour = np.clip(parts[:, :, :3] / np.maximum(alpha, LEAST_OPACITY), 0, 1) * (alpha > 0)
        shown = np.concatenate([colour, alpha], axis=2) * 2 - 1
    return np.rint((shown + 1) * 127.5).astype(np.uint8)
