"""What a recording says of itself: the units of its words, who speaks, and its sound at the rate of the codec."""

from typing import Any

from makar.codecs.image import UNLABELLED
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.spoken_units import Spoken, spoken_by_text, spoken_by_times
from makar.data.record import Record
from makar.data.sound import Sound, resampled
from makar.errors import UsageError


def voice_of(record: Record, config: SpeechCodecConfig) -> str:
    """Return who speaks in a recording; everybody is nobody where voices are not told apart."""
    return (record.label or UNLABELLED) if config.use_labels or config.use_example else ""


def at_rate(sound: Sound, config: SpeechCodecConfig) -> Sound:
    """Return a sound at the rate at which speakers are compared: bands of another rate would be other bands."""
    return resampled(sound, config.rate_hz)


def spoken_of(record: Record, config: SpeechCodecConfig, numbers: dict[str, int]) -> Spoken | None:
    """Return the units of a recording with what is known of when; ``None`` where it has no words or is too long."""
    sound: Any = record.content
    if sound is None or sound.seconds > config.seconds:
        return None
    if record.times is not None and config.use_times:
        found = spoken_by_times(record.times, config.units, numbers, seconds=sound.seconds)
        if found is not None:
            return found
    try:
        return spoken_by_text(record.caption or "", config.units, numbers, seconds=sound.seconds)
    except UsageError:
        return None
