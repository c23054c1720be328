"""A sound on its way out: as the WAV file that leaves, marked as made by a model, and as the picture that is compared with others."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.sound import SoundCodec
from makar.data.clip import Clip
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from makar.provenance.content import Recording


def recorded(sound: Sound, source_type: str, *, marks: Sequence[tuple[int, str]] = ()) -> Recording:
    """Return a sound with its file.

    Args:
        sound: The sound.
        source_type: The IPTC word for how it came about; it stands in the file too.
        marks: Samples at which chapters begin, with their titles.
    """
    remarks = {"ISFT": "Makar", "ICMT": source_type}
    return Recording(samples=sound.samples, rate_hz=sound.rate_hz, wave=wave_bytes(sound, remarks=remarks, marks=marks))


@runtime_checkable
class MakesSheets(Protocol):
    """A codec of clips."""

    def sheet(self, clip: Clip) -> np.ndarray:
        """Return what of a clip is compared, uint8 ``[height, width, channels]``."""


@runtime_checkable
class Pictures(Protocol):
    """A codec of sounds."""

    def picture(self, sound: Sound) -> np.ndarray:
        """Return the picture of a sound, uint8 ``[mels, frames, 1]``."""


def compared(content: Any, codec: Codec) -> Any:
    """Return what of a content is compared with the training data: of a sound its picture, of a clip four frames, else the content."""
    plain = codec.plain
    if isinstance(content, Clip) and isinstance(plain, MakesSheets):
        return plain.sheet(content)
    return plain.picture(content) if isinstance(content, Sound) and isinstance(plain, Pictures) else content


def pictured(codec: Codec) -> Codec:
    """Return the codec of the images that are compared: of sounds that of their pictures, else that of the content itself."""
    plain = codec.plain
    return plain.pictures if isinstance(plain, SoundCodec) else plain


def seen(content: Any, codec: Codec) -> np.ndarray:
    """Return what can be looked at of a content: an image itself, of a recording its picture, uint8 ``[height, width, channels]``."""
    if isinstance(content, Recording):
        content = compared(Sound(content.samples, content.rate_hz), codec)
    pixels: np.ndarray = content
    return pixels
