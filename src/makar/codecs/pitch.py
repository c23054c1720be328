"""How high a voice is from moment to moment: the fundamental frequency by the method YIN.

At every moment the samples are compared with themselves a lag later; the difference, divided by its mean over all shorter lags, is small
where the lag is a period. The shortest lag below a threshold counts, at the bottom of its dip, between samples by a parabola; where no lag
is below it nothing is periodic, and nothing is said of the pitch. Single moments that jump are set right by a median of five.

Source: de Cheveigné and Kawahara 2002, "YIN, a fundamental frequency estimator for speech and music", equations 6 and 8, steps 1 to 5;
its last step (the best local estimate) is the median here.
"""

import numpy as np

from makar.data.sound import Sound

STEP_SECONDS = 0.008
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW_SECONDS = 0.03
WORKING_RATE_HZ = 8000
THRESHOLD = 0.2
QUIET_DB = 40.0
"""Moments that are quieter than the loudest one by more than this have no pitch."""

AROUND = 2
TOGETHER = 512
SEMITONE_HZ = 50.0
"""From where semitones are counted."""


def pitches_hz(sound: Sound, *, threshold: float = THRESHOLD) -> np.ndarray:
    """Return the fundamental frequency every 8 ms, float64 ``[moments]`` in Hz, nan where nothing is periodic.

    Args:
        sound: A recording of one voice.
        threshold: Below which a difference is a period; phases that were found again are less even than those of a throat, and want more.
    """
    factor = max(1, sound.rate_hz // WORKING_RATE_HZ)
    samples = sound.mono()
    rate = sound.rate_hz / factor
    whole = samples[: len(samples) // factor * factor].astype(np.float64).reshape(-1, factor).mean(1)
    moments = max(1, int(len(samples) / sound.rate_hz / STEP_SECONDS))
    window, longest = round(WINDOW_SECONDS * rate), int(np.ceil(rate / LOWEST_HZ)) + 1
    length = window + longest
    padded = np.pad(whole, (length // 2, length))
    starts = np.round(np.arange(moments) * STEP_SECONDS * rate).astype(np.int64)
    starts = np.minimum(starts, len(padded) - length)
    levels = np.zeros(moments)
    found = np.full(moments, np.nan)
    for first in range(0, moments, TOGETHER):
        part = padded[starts[first : first + TOGETHER, None] + np.arange(length)]
        levels[first : first + TOGETHER] = np.sqrt((part**2).mean(1))
        found[first : first + TOGETHER] = _lags(
            part, window=window, longest=longest, shortest=int(rate / HIGHEST_HZ), threshold=threshold
        )
    found[levels < levels.max() * 10 ** (-QUIET_DB / 20)] = np.nan
    return _smoothed(rate / found)


def _lags(part: np.ndarray, *, window: int, longest: int, shortest: int, threshold: float) -> np.ndarray:
    """Return the period of every row in samples, nan where there is none."""
    size = 1 << (part.shape[1] + window - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(part, size) * np.fft.rfft(part[:, :window], size).conj(), size)[:, :longest]
    energy = np.concatenate([np.zeros((len(part), 1)), np.cumsum(part**2, axis=1)], axis=1)
    later = energy[:, window : window + longest] - energy[:, :longest]
    difference = np.maximum(later[:, :1] + later - 2 * product, 0)
    lags = np.arange(1, longest)
    summed = np.cumsum(difference[:, 1:], axis=1)
    # Silence is no period of anything.
    ratio = np.where(summed > 1e-12, difference[:, 1:] * lags / np.maximum(summed, 1e-12), 1.0)
    ratio[:, : shortest - 1] = 1.0
    is_dip = np.zeros(ratio.shape, bool)
    is_dip[:, 1:-1] = (ratio[:, 1:-1] <= ratio[:, :-2]) & (ratio[:, 1:-1] < ratio[:, 2:]) & (ratio[:, 1:-1] < threshold)
    rows = np.flatnonzero(is_dip.any(1))
    place = is_dip[rows].argmax(1)
    before, at, after = (ratio[rows, place + offset] for offset in (-1, 0, 1))
    curve = before - 2 * at + after
    shift = np.where(curve > 1e-12, (before - after) / np.maximum(2 * curve, 1e-12), 0.0)
    found = np.full(len(part), np.nan)
    found[rows] = lags[place] + np.clip(shift, -0.5, 0.5)
    return found


def _smoothed(hertz: np.ndarray) -> np.ndarray:
    """Return the median of what is known around every moment at which something is."""
    padded = np.pad(hertz, AROUND, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    known = np.flatnonzero(~np.isnan(hertz))
    found = np.full(len(hertz), np.nan)
    if len(known):
        found[known] = np.nanmedian(around[known], axis=1)
    return found


def semitones(hertz: np.ndarray) -> np.ndarray:
    """Return pitches in semitones above 50 Hz.

    >>> semitones(np.array([50.0, 100.0]))
    array([ 0., 12.])
    """
    return 12 * np.log2(hertz / SEMITONE_HZ)
