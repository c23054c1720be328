"""How well the mouth of a presenter keeps time: offset of mouth and sound, lips that close for p, b and m, and what a wrong mouth scores.

Run: python benchmarks/presenter.py [--minutes 5] [--sentences 600] [--scripts 10] [--model MODEL] [--form .gif]

A voice is trained on speech of flite (voice rms, phones) and reads sentences that it did not learn. The film is read back from its file:
how far the mouth is open is the number of dark pixels where the mouth is, and how loud it is comes from the recording beside it. The
offset is where their correlation is highest. Lips count as closed for a p, b or m when an image within it, or the one that shows its
middle, has hardly any of these pixels. Beside it: the same mouth five images late, one that opens at random, one that never closes. Bars:
offset at most one image, closed 0.95.
"""

import argparse
import io
import itertools
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import spoken
from measure import machine, timed, write_result
from PIL import Image

import makar
from makar.data.sound_reader import read_sound
from makar.generation.avatar import Avatar
from makar.generation.mouths import CLOSED, SHAPE_OF
from makar.generation.presenting import IMAGES_A_SECOND, SILENT, presented_asset
from makar.generation.reading_aloud import Voice, read_aloud

BARS = {"offset_images": 1, "closed": 0.95}
CLOSED_PIXELS = 10
"""Pixels between the lips up to which they count as closed: a lossy film leaves one or two, the narrowest open mouth has 52."""

FURTHEST = 12
"""Images by which mouth and sound are moved against each other."""


def images_of(file: bytes) -> list[np.ndarray]:
    """Return the images of a film as they follow each other."""
    found: list[np.ndarray] = []
    with Image.open(io.BytesIO(file)) as film:
        for number in range(film.n_frames):
            film.seek(number)
            image = np.asarray(film.convert("RGB"))
            found += [image] * round(film.info["duration"] * IMAGES_A_SECOND / 1000)
    return found


def openness(image: np.ndarray) -> int:
    """Return the pixels between the lips: dark red, white teeth or tongue, where the mouth of the built-in face is."""
    mouth = image[154:206, 90:166].astype(int)
    dark = (mouth.sum(2) < 250) & (mouth[:, :, 0] > mouth[:, :, 2])
    return int((dark | (mouth.sum(2) > 610)).sum())


def loudness(samples: np.ndarray, rate: int, images: int) -> np.ndarray:
    """Return the loudness during each image in decibels, not below -50."""
    edges = np.minimum((np.arange(images + 1) * rate / IMAGES_A_SECOND).astype(int), len(samples))
    power = [float((samples[a:b] ** 2).mean()) if b > a else 0.0 for a, b in itertools.pairwise(edges)]
    return np.maximum(-50.0, 10 * np.log10(np.maximum(power, 1e-9)))


def offset(mouth: np.ndarray, sound: np.ndarray) -> int:
    """Return by how many images the mouth is late."""
    shifts = range(-FURTHEST, FURTHEST + 1)

    def fit(shift: int) -> float:
        a, b = mouth[max(0, shift) : len(mouth) + min(0, shift)], sound[max(0, -shift) : len(sound) + min(0, -shift)]
        return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else -1.0

    return max(shifts, key=fit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--sentences", type=int, default=600)
    parser.add_argument("--scripts", type=int, default=10)
    parser.add_argument("--model", help="a voice that was trained so, instead of training one")
    parser.add_argument("--form", choices=SILENT, default=".webp")
    options = parser.parse_args()
    every = spoken.prose(options.sentences + 3 * options.scripts, seed=0)
    learned, new = every[: options.sentences], every[options.sentences :]
    with tempfile.TemporaryDirectory() as place:
        folder, seconds = Path(place), 0.0
        name = options.model
        if name is None:
            spoken.corpus(folder / "corpus", learned)
            name = str(folder / "home" / "model")
            command = [
                sys.executable, "-W", "ignore", "-m", "makar", "train", str(folder / "corpus"), "--recipe", "speech",
                "--for", f"{60 * options.minutes:g}s", "-o", name,
            ]  # fmt: skip
            seconds, _ = timed(command, environment={"MAKAR_HOME": str(folder / "home")})
            os.environ["MAKAR_HOME"] = str(folder / "home")
        model: Any = makar.load(name)
        avatar = Avatar()
        draw = np.random.default_rng(0)
        offsets: dict[str, list[int]] = {"makar": [], "five images late": [], "at random": []}
        closed: dict[str, list[bool]] = {"makar": [], "five images late": [], "never closed": []}
        for number in range(options.scripts):
            text = " ".join(new[3 * number : 3 * number + 3])
            reading = read_aloud([Voice(name="A", artifact=model.artifact)], text, seed=number)
            content = presented_asset(reading, avatar, suffix=options.form).content
            mouth = np.array([openness(image) for image in images_of(content.file)], float)
            sound = read_sound(content.wave)
            loud = loudness(sound.mono(), sound.rate_hz, len(mouth))
            sides = {"makar": mouth, "five images late": np.roll(mouth, 5), "at random": draw.permutation(mouth)}
            for side, seen in sides.items():
                offsets[side].append(offset(seen, loud))
            for one in (unit for unit in reading.units if SHAPE_OF[unit.unit] == CLOSED):
                first, last = int(one.start * IMAGES_A_SECOND), int(np.ceil(one.end * IMAGES_A_SECOND))
                for side, seen in (*list(sides.items())[:2], ("never closed", np.maximum(mouth, 2 * CLOSED_PIXELS))):
                    closed[side].append(bool((seen[first:last] <= CLOSED_PIXELS).any()))
    found = {
        "machine": machine(), "minutes": options.minutes, "form": options.form, "scripts": options.scripts, "seconds": seconds,
        "offset_images": {side: {"median": float(np.median(values)), "most": max(map(abs, values))} for side, values in offsets.items()},
        "closed": {side: float(np.mean(values)) for side, values in closed.items()}, "bilabials": len(closed["makar"]), "bars": BARS,
    }  # fmt: skip
    print({key: value for key, value in found.items() if key != "machine"})
    write_result("presenter", found)
    is_late = abs(found["offset_images"]["makar"]["median"]) > BARS["offset_images"]
    sys.exit(is_late or found["closed"]["makar"] < BARS["closed"])


if __name__ == "__main__":
    main()
