"""What is heard of a film that was changed: its own sound, that of a file, or none; always as long as the pictures."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from makar.data.film_sound import fitted, read_track
from makar.data.sniffing import HEAD_BYTES, sniff
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.errors import DataError, UsageError
from makar.generation.given_sound import read_given_bytes
from makar.provenance.embedding import source_mark

KEEP, REMOVE = "keep", "remove"
LEAST_SECONDS = 0.05
"""Differences in length below this are not spoken of."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Soundtrack:
    """What is heard.

    Attributes:
        sound: The sound, as long as the pictures; ``None`` for silence.
        stated: What a manifest says of it.
        remarks: What had to be made to fit, in words.
        mark: The IPTC word that the file of a replacement carries, where a trained algorithm made it.
    """

    sound: Sound | None
    stated: dict[str, Any]
    remarks: tuple[str, ...] = ()
    mark: str | None = None


def soundtrack(asked: Any, own: Sound | None, *, seconds: float) -> Soundtrack:
    """Return what is heard of a film.

    Args:
        asked: ``"keep"`` or ``None`` keeps its own sound, ``"remove"`` leaves it out, a file of sound or a film takes the place of it.
        own: Its own sound.
        seconds: How long the pictures are.

    Raises:
        UsageError: There is no such file.
        DataError: It holds no sound that can be read.
    """
    if asked == REMOVE:
        return Soundtrack(sound=None, stated={"sound": "removed"})
    if asked in (None, KEEP):
        if own is None:
            remarks = ("there is no sound to keep",) if asked == KEEP else ()
            return Soundtrack(sound=None, stated={"sound": "none"}, remarks=remarks)
        return Soundtrack(
            sound=fitted(own, round(seconds * own.rate_hz)),
            stated={"sound": "kept", "rate_hz": own.rate_hz},
            remarks=_remarks("the sound", own, seconds),
        )
    content, sound = _replacement(asked)
    return Soundtrack(
        sound=fitted(sound, round(seconds * sound.rate_hz)),
        stated={"sound": "replaced", "sha256": hashlib.sha256(content).hexdigest(), "rate_hz": sound.rate_hz},
        remarks=_remarks("the new sound", sound, seconds),
        mark=source_mark(content),
    )


def own_sound(source: Any) -> Sound | None:
    """Return the sound of a film or picture that was handed in; arrays, pictures and animations have none.

    Raises:
        DataError: The file is damaged.
    """
    if not isinstance(source, str | Path | bytes):
        return None
    content = read_given_bytes(source)
    name = "clip" if isinstance(source, bytes) else Path(source).name
    return read_track(content) if sniff(name, content[:HEAD_BYTES]).group == "video" else None


def _replacement(asked: Any) -> tuple[bytes, Sound]:
    if not isinstance(asked, str | Path | bytes):
        raise UsageError(f"a sound of type {type(asked).__name__}", expected='"keep", "remove", or a file')
    content = read_given_bytes(asked)
    name = "sound" if isinstance(asked, bytes) else Path(asked).name
    if sniff(name, content[:HEAD_BYTES]).group != "video":
        return content, read_sound(content)
    sound = read_track(content)
    if sound is None:
        raise DataError(f"{name} has no sound", expected="a file of sound, or a film that has some")
    return content, sound


def _remarks(what: str, sound: Sound, seconds: float) -> tuple[str, ...]:
    missing = seconds - sound.seconds
    if missing > LEAST_SECONDS:
        return (f"{what} ends {missing:.2f} seconds before the pictures: silence follows",)
    return (f"{what} is cut off {-missing:.2f} seconds before its end",) if -missing > LEAST_SECONDS else ()
