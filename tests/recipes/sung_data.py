"""Recordings of made-up words by made-up voices: harmonics of a gliding pitch through formants, with their text beside them."""

import numpy as np

from makar.data.sound import Sound
from makar.data.wave_file import on_grid, wave_bytes
from tests.recipes.spoken_data import sentence

RATE = 8000
FORMANTS = {"l": (400, 900), "o": (500, 1100), "w": (350, 700), "h": (700, 1700), "i": (300, 2300), "g": (600, 2000)}


def sung(text, *, seed, middle_hz=140.0, longer=1.0, reach=6.0):
    """Return a recording of a text whose every letter sounds through two formants.

    Args:
        text: What is said.
        seed: Of its rhythm, its melody and its loudness.
        middle_hz: Middle of the pitch.
        longer: How much higher the formants are.
        reach: Semitones that the pitch moves up and down.
    """
    draw = np.random.default_rng(seed)
    letters = [" ", *text, " "]
    lengths = [round(RATE * draw.uniform(0.08, 0.12)) for _ in letters]
    # From one height to another, over the whole: what jumps within a letter has no pitch.
    hertz = middle_hz * 2 ** (np.linspace(*draw.uniform(-reach, reach, 2), sum(lengths)) / 12)
    phase, wave, start = 2 * np.pi * np.cumsum(hertz) / RATE, np.zeros(sum(lengths)), 0
    level = 10 ** (draw.uniform(-9, 0) / 20)
    for letter, length in zip(letters, lengths, strict=True):
        part = slice(start, start + length)
        for number in range(1, 24):
            place = number * hertz[part]
            heard = [24 * np.exp(-(((place - longer * one) / 350) ** 2)) for one in FORMANTS.get(letter, ())]
            loud = sum(heard, -30.0 if letter == " " else -12.0)
            wave[part] += level * (place < 0.48 * RATE) * 10 ** (loud / 20) * np.cos(number * phase[part])
        start += length
    return Sound(on_grid((0.02 * wave + draw.normal(0, 1e-4, len(wave))).astype(np.float32))[:, None], RATE)


def write_sung(folder, *, count, **voice):
    """Write recordings of one voice with a text beside each."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.wav").write_bytes(wave_bytes(sung(sentence(number), seed=number, **voice)))
        (folder / f"{number}.txt").write_text(sentence(number), encoding="utf-8")
