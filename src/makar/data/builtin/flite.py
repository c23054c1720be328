"""The program flite as a speaker: samples of a text, and its phones with the second at which each of them ends, as it prints them.

Three of its voices draw their sound from models, ``kal16`` joins recorded pieces. All keep to the times that they print: a search that
learns from 90 sentences and their text alone finds them 11 (``rms``) and 12 (``kal16``) milliseconds from there in the mean.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from makar.data.phones import PHONES
from makar.data.singing import SpokenPhones
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.errors import UnsupportedError

PROGRAM = "flite"
VOICES = ("rms", "slt", "awb", "kal16")
"""Those that Debian's flite 2.2 carries and that speak any text at 16,000 samples a second."""

SPEAKING_SECONDS = 20
PHONE = re.compile(r"([a-z]+):(\d+\.\d+)")


class Said(NamedTuple):
    """A text as it was spoken.

    Attributes:
        file: A WAV file, 16,000 samples a second.
        phones: What is spoken in it, with a pause at both ends, the last of which ``kal16`` ends sooner than it says.
    """

    file: bytes
    phones: SpokenPhones

    @property
    def sound(self) -> Sound:
        """What is heard."""
        return read_sound(self.file)


def check_flite(what: str, *, instead: str = "") -> None:
    """Refuse what needs the program where it is not there.

    Args:
        what: What needs it, with a verb: ``"builtin:songs are sung"``.
        instead: What can be done without the program.

    Raises:
        UnsupportedError: It is not there.
    """
    if shutil.which(PROGRAM) is None:
        raise UnsupportedError(
            f"{what} by the program flite, which is not here",
            expected="flite",
            do=f"apt-get install flite{f', or {instead}' if instead else ''}",
        )


def said(text: str, *, voice: str) -> Said:
    """Return a text as a voice speaks it, the same each time.

    Args:
        text: What is spoken.
        voice: Of ``VOICES``.

    Raises:
        UnsupportedError: flite is not there, or does not speak this with this voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "spoken.wav")
        # The program takes its text as an argument of its own, so nothing in it is an option or a command.
        command = [PROGRAM, "-psdur", "-voice", voice, "-t", f" {text}", "-o", str(file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SPEAKING_SECONDS, check=True)
            content = file.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise UnsupportedError(f"flite does not speak: {str(error)[:80]}", expected="flite 2.2") from error
    pairs = [PHONE.fullmatch(part) for part in done.stdout.split()]
    phones = [(pair[1], float(pair[2])) for pair in pairs if pair is not None and pair[1] in PHONES]
    if not phones or len(phones) < len(pairs):
        raise UnsupportedError(f"flite prints no phones of {text[:40]!a}", expected="flite 2.2 and English text")
    return Said(content, phones)
