"""Where something is spoken, read off what a model of speech is told of every frame."""

from torch import Tensor

from makar.codecs.speech_config import TIMING_PLANES
from makar.codecs.told_planes import PROSODY_PLANES, SPEAKER_PLANES
from makar.codecs.units import KINDS


def is_spoken(source: Tensor) -> Tensor:
    """Return where something is spoken, a pause included, bool ``[batch, frames]``; behind the end a unit has no length.

    Args:
        source: ``[batch, planes, 1, frames]``.
    """
    return source[:, _length_plane(source.shape[1]), 0] > 0


def _length_plane(planes: int) -> int:
    """Return which channel says how long a unit is: pitch, energy and the speaker stand behind it where they are told."""
    for told in (PROSODY_PLANES + SPEAKER_PLANES, PROSODY_PLANES, SPEAKER_PLANES):
        if planes - told - TIMING_PLANES in {len(units) for units in KINDS.values()}:
            return planes - told - 1
    return planes - 1
