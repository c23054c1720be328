"""A sound that somebody gives to be changed or heard: the name of a file, or the bytes of one."""

from pathlib import Path
from typing import Any

from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.errors import UsageError

LARGEST_BYTES = 1 << 30


def read_given_sound(source: Any) -> tuple[bytes, Sound]:
    """Return the bytes of a sound file and the sound in it.

    Args:
        source: Its path, or its bytes.

    Raises:
        UsageError: There is no such file, or it is too long.
        DataError: It is no sound.
    """
    content = read_given_bytes(source)
    return content, read_sound(content)


def read_given_bytes(source: Any) -> bytes:
    """Return the bytes of a file of sound or film.

    Args:
        source: Its path, or its bytes.

    Raises:
        UsageError: There is no such file, or it is too long.
    """
    if isinstance(source, bytes):
        return source
    if not isinstance(source, str | Path) or not _is_file(source):
        raise UsageError(f"there is no file {source}", expected="a sound file")
    path = Path(source)
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"{path.name} is longer than {LARGEST_BYTES >> 20} MB", expected="a shorter sound")
    return path.read_bytes()


def _is_file(source: str | Path) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):
        # Too long for a name, or with a character that no name has.
        return False
