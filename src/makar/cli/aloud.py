"""Answers of ``chat`` aloud: played by a program of the system, or written as signed files where nothing plays them."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from makar.cli.gallery import Gallery
from makar.cli.output import note
from makar.errors import MakarError

if TYPE_CHECKING:
    from makar.api.spoken_chat import Reader
    from makar.generation.asset import Asset

PLAYERS = (("afplay",), ("pw-play",), ("paplay",), ("aplay", "-q"))
"""Programs that play a file and fail where there is no device: of macOS, PipeWire, PulseAudio, ALSA."""

USUAL_FOLDER = Path("spoken")


class Aloud:
    """Reads answers aloud.

    Args:
        reader: What reads them.
        folder: Where recordings are written instead of being played; ``None`` plays them where something can.
        gallery: Keeps those that are written.
    """

    def __init__(self, reader: "Reader", folder: Path | None, gallery: Gallery) -> None:
        self.files: list[Path] = []
        """The recordings that were written."""
        self._reader = reader
        self._folder = folder
        self._gallery = gallery
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def read(self, text: str) -> None:
        """Read an answer aloud; one that cannot be spoken is said to be so, and the conversation goes on."""
        if not text.strip():
            return
        try:
            asset = self._reader.read(text)
        except MakarError as error:
            note(f"[not read aloud: {error.came}]")
            return
        if self._folder is None and played(asset):
            return
        if self._folder is None:
            note(f"[nothing here plays sound: recordings are written to {USUAL_FOLDER}]")
            self._folder = USUAL_FOLDER
            self._folder.mkdir(exist_ok=True)
        self.files.append(asset.save(self._folder))
        with self._gallery:
            self._gallery.add(asset)
        note(f"[read aloud: {self.files[-1]}]")


def played(asset: "Asset") -> bool:
    """Play a recording and return whether anything played it."""
    with tempfile.TemporaryDirectory(prefix="makar-aloud-") as folder:
        file = asset.save(Path(folder) / "answer.wav")
        if sys.platform == "win32":
            import winsound

            try:
                winsound.PlaySound(str(file), winsound.SND_FILENAME | winsound.SND_NODEFAULT)
            except RuntimeError:
                return False
            return True
        found = [[path, *words] for name, *words in PLAYERS if (path := shutil.which(name))]
        return any(
            subprocess.run([*player, file], capture_output=True, check=False).returncode == 0 for player in found
        )
