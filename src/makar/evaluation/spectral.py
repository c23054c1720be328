"""How far a sound is from another that should be the same, heard as spectra: the distances by which vocoders are compared."""

import numpy as np

from makar.codecs.hearing import loudness
from makar.codecs.hearing_config import HearingConfig
from makar.data.sound import Sound, resampled
from makar.data.spectrogram import OVERLAP, RANGE_DB, hann

FLOOR = RANGE_DB
"""Decibels below the loudest of the real sound from which on nothing is heard."""


def log_spectral_distance(made: Sound, real: Sound, config: HearingConfig) -> float:
    """Return the root of the mean squared difference of the log power spectra of frames, then their mean, in decibels.

    Args:
        made: What is measured.
        real: What it should be.
        config: Rate and step of the frames.

    Source: Gray and Markel 1976, "Distance measures for speech processing", the root mean square of the log spectra.
    """
    first, second = (_decibels(sound, config) for sound in (made, real))
    frames = min(first.shape[0], second.shape[0])
    floor = second.max() - FLOOR
    first, second = np.maximum(first[:frames], floor), np.maximum(second[:frames], floor)
    is_heard = second.max(axis=1) > floor
    if not is_heard.any():
        return 0.0
    each = np.sqrt(np.square(first - second).mean(axis=1))
    return float(each[is_heard].mean())


def mel_distance(made: Sound, real: Sound, config: HearingConfig) -> float:
    """Return the mean difference of the loudness of bands where the real sound is heard, in decibels."""
    first, second = (loudness(sound, config) for sound in (made, real))
    frames = min(first.shape[1], second.shape[1])
    floor = second.max() - FLOOR
    first, second = np.maximum(first[:, :frames], floor), np.maximum(second[:, :frames], floor)
    is_heard = second.max(axis=0) > floor
    return float(np.abs(first - second)[:, is_heard].mean()) if is_heard.any() else 0.0


def _decibels(sound: Sound, config: HearingConfig) -> np.ndarray:
    samples = resampled(sound, config.rate_hz).mono()
    window = OVERLAP * config.hop
    padded = np.pad(samples, window // 2)
    if len(padded) < window:
        padded = np.pad(padded, (0, window - len(padded)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, window)[:: config.hop]
    spectrum = np.abs(np.fft.rfft(seen * hann(window), axis=1)) / (hann(window).sum() / 2)
    decibels: np.ndarray = 20 * np.log10(np.maximum(spectrum, 1e-7))
    return decibels
