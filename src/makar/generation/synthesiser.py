"""A piece of music as a WAV file: played by Makar's own instruments (``makar.data.instruments``), or by fluidsynth where that is."""

import io
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from makar.data.instruments import SAMPLE_RATE_HZ, sound_of
from makar.data.score import Score, midi_of
from makar.errors import UnsupportedError

FLUIDSYNTH = "fluidsynth"
SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts")
FLUIDSYNTH_SECONDS = 120
PLAYER = "player"
"""Control that names who plays a piece."""


def wav_bytes(sound: np.ndarray, *, rate: int = SAMPLE_RATE_HZ) -> bytes:
    """Return sound as a WAV file of 16 bits."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


def soundfont(player: str) -> Path:
    """Return the soundfont that a player plays with.

    Raises:
        UnsupportedError: There is no such player here, or no soundfont.
    """
    fonts = sorted(font for folder in SOUNDFONTS for font in Path(folder).glob("*.sf2"))
    if player != FLUIDSYNTH or shutil.which(FLUIDSYNTH) is None or not fonts:
        raise UnsupportedError(
            f'the player "{player}"',
            expected=f"{FLUIDSYNTH} with a soundfont in {SOUNDFONTS[0]}, or none: the piece is then played by Makar itself",
            do="apt install fluidsynth timgm6mb-soundfont",
        )
    return fonts[0]


def read_player(options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Take the player out of the controls of a model of music.

    Returns:
        Its name, empty where none was given, and the controls that are left.

    Raises:
        UnsupportedError: It is not here: that is known before anything is drawn.
    """
    rest = dict(options)
    player = str(rest.pop(PLAYER, ""))
    if player:
        soundfont(player)
    return player, rest


def rendered(score: Score, *, by: str = "") -> tuple[bytes, str]:
    """Return a piece as a WAV file, and what played it.

    Args:
        score: The piece.
        by: ``"fluidsynth"`` uses that program; empty plays it here.

    Raises:
        UnsupportedError: There is no such player, no soundfont, or it fails.
    """
    if not by:
        return wav_bytes(sound_of(score)), "makar"
    font = soundfont(by)
    with tempfile.TemporaryDirectory() as place:
        midi, wav = Path(place) / "piece.mid", Path(place) / "piece.wav"
        midi.write_bytes(midi_of(score))
        command = [FLUIDSYNTH, "-ni", "-F", str(wav), "-r", str(SAMPLE_RATE_HZ), str(font), str(midi)]
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=FLUIDSYNTH_SECONDS)
            return wav.read_bytes(), f"{FLUIDSYNTH} with {font.name}"
        except (OSError, subprocess.SubprocessError) as error:
            raise UnsupportedError(f"{FLUIDSYNTH} failed: {error}", do="leave the player out") from error
