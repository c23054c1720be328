"""What a model of speech is told of every frame: the unit that is spoken in it, how far it is through it, and how it is spoken by whom."""

import numpy as np

from makar.codecs.prosody import Contour
from makar.codecs.speech_config import TIMING_PLANES, SpeechCodecConfig
from makar.codecs.told_planes import PROSODY_PLANES

LONGEST_TOLD_SECONDS = 0.5
"""A unit that lasts so long or longer is told as the longest."""


def frame_planes(
    config: SpeechCodecConfig,
    order: np.ndarray,
    ends: np.ndarray,
    *,
    contour: Contour | None = None,
    speaker: np.ndarray | None = None,
) -> np.ndarray:
    """Return what is said of every frame, uint8 ``[planes, 1, frames]``; behind the last unit it is a pause.

    Args:
        config: Settings of the codec.
        order: Numbers of the units.
        ends: When each of them ends, in seconds.
        contour: How high and how loud they are, where the model is told.
        speaker: Whose voice it is, float64 ``[SPEAKER_PLANES]`` in 0..1, where the model is told.
    """
    timing = config.unit_planes
    centres = np.arange(config.frames) * config.hop / config.rate_hz
    place = np.minimum(np.searchsorted(ends, centres, side="right"), len(order) - 1)
    starts = np.concatenate([[0.0], ends[:-1]])
    length = np.maximum(ends - starts, 1e-3)
    is_after = centres >= ends[-1]
    planes = np.zeros((config.source_planes, 1, config.frames), np.uint8)
    planes[np.where(is_after, 0, order[place]), 0, np.arange(config.frames)] = 255
    within = np.where(is_after, 0, (centres - starts[place]) / length[place])
    planes[timing, 0] = np.rint(255 * np.clip(within, 0, 1))
    lasts = np.where(is_after, 0, length[place]) / LONGEST_TOLD_SECONDS
    planes[timing + 1, 0] = np.rint(255 * np.clip(lasts, 0, 1))
    if contour is not None:
        first = timing + TIMING_PLANES
        planes[first : first + PROSODY_PLANES, 0] = np.rint(255 * contour.planes(ends, centres))
    if speaker is not None:
        planes[-len(speaker) :, 0] = np.rint(255 * speaker)[:, None]
    return planes
