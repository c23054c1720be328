"""Real data and two small trained models for tests of the shell, and what a command line leaves to be seen."""

import dataclasses
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from makar.cli.app import run

STEPS = "6"
TEXT_SETTINGS = [
    *("--set", "stages.0.family.width=32", "--set", "stages.0.family.depth=1", "--set", "stages.0.family.heads=1"),
    *("--set", "stages.0.family.context=16", "--set", "stages.0.optimisation.batch_size=4"),
]
IMAGE_SETTINGS = [
    *("--set", "stages.0.family.features=8", "--set", "stages.0.family.head_width=8"),
    *("--set", "stages.0.optimisation.batch_size=4"),
]


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a command line left.

    Attributes:
        code: The exit code.
        output: Stdout.
        pieces: Stdout as it was written, piece by piece.
        messages: Stderr.
    """

    code: int
    output: str
    pieces: tuple[str, ...]
    messages: str

    @property
    def values(self):
        """Stdout as JSON."""
        return json.loads(self.output)


class Recorder(io.StringIO):
    """Remembers every piece that is written."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, text):
        """Take a piece."""
        self.pieces.append(text)
        return super().write(text)


def see(*words, code=0):
    """Run a command line in this process."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Recorder(), Recorder()
    try:
        found = run([str(word) for word in words])
        seen = Seen(found, sys.stdout.getvalue(), tuple(sys.stdout.pieces), sys.stderr.getvalue())
    finally:
        sys.stdout, sys.stderr = before
    assert code is None or seen.code == code, seen.output + seen.messages
    return seen


def write_texts(folder, *, count=12):
    """Write stories into a folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        text = "\n".join(
            f"Chapter {line}. In which {number} bears and {line * number} foxes buy {line + 7 * number} loaves."
            for line in range(20)
        )
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return folder


def write_images(folder, *, count=12):
    """Write pictures of two classes into a folder."""
    draw = np.random.default_rng(0)
    for label in ("cat", "fox"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            pixels[: 2 + number % 12] //= 4 if label == "cat" else 2
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


def make_models(folder: Path):
    """Train a text model ``writer`` and an image model ``painter`` by the shell, on data in a folder."""
    write_texts(folder / "texts")
    write_images(folder / "images")
    see("train", folder / "texts", "--steps", STEPS, "-o", "writer", *TEXT_SETTINGS)
    see("train", folder / "images", "--steps", STEPS, "-o", "painter", *IMAGE_SETTINGS)


def hashes(folder, *, suffixes=()):
    """Return the files below a folder with the hash of what they hold; of a picture its pixels, without the signed manifest."""
    found = {}
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        if suffixes and path.suffix not in suffixes:
            continue
        data = np.asarray(Image.open(path)).tobytes() if path.suffix == ".png" else path.read_bytes()
        found[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return found
