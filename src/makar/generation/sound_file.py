"""A sound file that is given to be changed."""

from pathlib import Path
from typing import Any

from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.errors import UsageError

LARGEST_BYTES = 1 << 30


def read_given_sound(source: Any) -> tuple[bytes, Sound]:
    """Return the bytes of a file and the sound in it.

    Args:
        source: A path.

    Raises:
        UsageError: There is no such file, or it is too large.
        DataError: It is no sound.
    """
    if not isinstance(source, str | Path) or not Path(source).is_file():
        raise UsageError(f"there is no file {source}", expected="a sound file")
    path = Path(source)
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"{path.name} is longer than {LARGEST_BYTES >> 20} MB", expected="a shorter sound")
    content = path.read_bytes()
    return content, read_sound(content)
