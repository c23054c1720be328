"""Recordings of two made-up words, a tone for every letter, with their text beside them: speech that any machine can make."""

import numpy as np

from makar.data.sound import Sound
from makar.data.wave_file import on_grid, wave_bytes

RATE = 8000
PITCHES = {"l": 300, "o": 500, "w": 800, "h": 1200, "i": 1800, "g": 2500}
SPEECH_SETTINGS = [
    *("--set", "stages.0.family.features=32", "--set", "stages.0.family.blocks=1"),
    *("--set", "stages.0.optimisation.batch_size=4", "--set", "stages.0.codec.units=letters"),
]
RECOGNISER_SETTINGS = [
    *("--set", "stages.0.family.width=64", "--set", "stages.0.family.depth=2"),
    *("--set", "stages.0.family.longest_mask=4", "--set", "stages.0.family.widest_mask=4"),
]


def sentence(number):
    """Return one of the texts."""
    return " ".join(("low", "high")[(number >> place) % 2] for place in range(2 + number % 3))


def spoken(text, *, seed):
    """Return (a recording of a text, when each of its letters and spaces ends, in seconds)."""
    draw = np.random.default_rng(seed)
    parts, ends, now = [np.zeros(round(0.1 * RATE))], [0.1], 0.1
    for letter in text:
        seconds = 0.08 if letter == " " else draw.uniform(0.06, 0.12)
        times = np.arange(round(seconds * RATE)) / RATE
        level = 0.002 if letter == " " else 0.4
        pitch = PITCHES.get(letter, 100) * draw.uniform(0.98, 1.02)
        parts.append(level * (np.sin(2 * np.pi * pitch * times) + 0.5 * np.sin(4 * np.pi * pitch * times)))
        now += len(times) / RATE
        ends.append(now)
    parts.append(np.zeros(round(0.1 * RATE)))
    wave = np.concatenate(parts) + draw.normal(0, 1e-3, sum(map(len, parts)))
    return Sound(on_grid(wave.astype(np.float32))[:, None], RATE), [*ends, now + 0.1]


def write_spoken(folder, *, count, first=0):
    """Write recordings with a text beside each, other ones for another first number."""
    folder.mkdir(parents=True)
    for number in range(count):
        sound, _ = spoken(sentence(number), seed=first + number)
        (folder / f"{number}.wav").write_bytes(wave_bytes(sound))
        (folder / f"{number}.txt").write_text(sentence(number), encoding="utf-8")
    return folder
