"""How loud speech is, so that several voices can be made equally loud.

Loudness is the mean power of blocks of 400 ms that overlap by three quarters, of which those below -70 dB and then those more than 10 dB
below the mean of the others do not count: pauses make nobody quieter. Source: ITU-R BS.1770-4, section 2, without its filter for the ear,
which matters little between voices.
"""

import numpy as np

from makar.data.sound import Sound

BLOCK_SECONDS, OVERLAP = 0.4, 4
SILENCE_DB, BELOW_MEAN_DB = -70.0, 10.0
TARGET_DB = -20.0
"""Usual for spoken programmes, in decibels of full scale."""

HIGHEST_PEAK = 0.89


def loudness_db(sound: Sound) -> float | None:
    """Return how loud a sound is in decibels of full scale; ``None`` where it is silent."""
    samples = sound.mono().astype(np.float64)
    step = max(1, round(BLOCK_SECONDS * sound.rate_hz / OVERLAP))
    power = np.add.reduceat(samples**2, np.arange(0, len(samples), step)) if len(samples) else np.zeros(0)
    count = min(OVERLAP, len(power))
    if not count:
        return None
    blocks = np.convolve(power, np.ones(count), mode="valid") / (count * step)
    heard = blocks[blocks > 10 ** (SILENCE_DB / 10)]
    if not len(heard):
        return None
    kept = heard[heard >= heard.mean() * 10 ** (-BELOW_MEAN_DB / 10)]
    return float(10 * np.log10(kept.mean()))


def evened(sound: Sound, *, target_db: float = TARGET_DB) -> Sound:
    """Return a sound that is as loud as wanted, or as loud as it can be without being clipped.

    Args:
        sound: Any sound; silence stays what it is.
        target_db: In decibels of full scale.
    """
    level = loudness_db(sound)
    if level is None:
        return sound
    gain = 10 ** ((target_db - level) / 20)
    gain = min(gain, HIGHEST_PEAK / max(float(np.abs(sound.samples).max()), 1e-9))
    return Sound((sound.samples * np.float32(gain)).astype(np.float32), sound.rate_hz)
