"""What a recording says of itself: the units of its words, who speaks, and its sound at the rate of the codec."""

from typing import Any

import numpy as np

from makar.codecs.image import UNLABELLED
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.units import units_of
from makar.data.record import Record
from makar.data.sound import Sound, resampled
from makar.errors import UsageError


def voice_of(record: Record, config: SpeechCodecConfig) -> str:
    """Return who speaks in a recording; everybody is nobody where voices are not told apart."""
    return (record.label or UNLABELLED) if config.use_labels or config.use_example else ""


def at_rate(sound: Sound, config: SpeechCodecConfig) -> Sound:
    """Return a sound at the rate at which speakers are compared: bands of another rate would be other bands."""
    return resampled(sound, config.rate_hz)


def order_of(record: Record, config: SpeechCodecConfig, numbers: dict[str, int]) -> np.ndarray | None:
    """Return the numbers of the units of a recording; ``None`` where it has no words or is too long."""
    sound: Any = record.content
    if sound is None or not record.caption or sound.seconds > config.seconds:
        return None
    try:
        return np.array([numbers[unit] for unit in units_of(record.caption, config.units)], np.int64)
    except UsageError:
        return None
