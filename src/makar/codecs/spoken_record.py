"""What a recording says of itself: the units of its words, who speaks, and its sound at the rate of the codec."""

import dataclasses
from typing import Any

from makar.codecs.image import UNLABELLED
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.spoken_units import Spoken, spoken_by_text, spoken_by_times
from makar.data.record import Record
from makar.data.sound import Sound, resampled
from makar.errors import UsageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of the recordings that a codec was fitted to.

    Attributes:
        left_out: Recordings that cannot be learned from.
        given: Those whose times were said, so that nothing was searched for.
        useless: Those whose times say nothing of the units of the codec.
    """

    left_out: int = 0
    given: int = 0
    useless: int = 0

    def remarks(self) -> tuple[str, ...]:
        """Return what somebody should know of it."""
        told = (
            (self.left_out, "have no words, are too long, or are too short for their words and were left out"),
            (self.given, "came with times: when what is spoken in them was not searched for"),
            (self.useless, "came with times of phones, which say nothing of letters: they were searched"),
        )
        return tuple(f"{count} recordings {what}" for count, what in told if count)


NONE_SEEN = Seen()


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
