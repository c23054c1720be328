"""The picture of a sound: how loud each band of pitch is at each moment, in steps of a third of a decibel.

Bands are triangles on the mel scale of Slaney's Auditory Toolbox (1998), as in librosa, each as high as its neighbours at its peak. A
Hann window moves by a quarter of its length; power is that of a full-scale sine, and 80 dB below the loudest lie between black and white.
"""

import functools

import numpy as np

RANGE_DB = 80.0
OVERLAP = 4
"""Windows that lie over every sample."""

_LINEAR_HZ, _LOG_FROM_HZ, _LOG_STEP = 200.0 / 3, 1000.0, float(np.log(6.4)) / 27.0


def mels_of_hz(frequencies: np.ndarray) -> np.ndarray:
    """Return places on the mel scale: linear up to 1,000 Hz, then logarithmic."""
    logarithmic = _LOG_FROM_HZ / _LINEAR_HZ + np.log(np.maximum(frequencies, 1e-9) / _LOG_FROM_HZ) / _LOG_STEP
    return np.where(frequencies < _LOG_FROM_HZ, frequencies / _LINEAR_HZ, logarithmic)


def hz_of_mels(mels: np.ndarray) -> np.ndarray:
    """Return the frequencies of places on the mel scale."""
    start = _LOG_FROM_HZ / _LINEAR_HZ
    return np.where(mels < start, mels * _LINEAR_HZ, _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - start)))


@functools.lru_cache(maxsize=16)
def mel_filters(rate_hz: int, *, window: int, mels: int) -> np.ndarray:
    """Return how much every frequency counts in every band, float32 ``[mels, window // 2 + 1]``, 1 at the peaks.

    Args:
        rate_hz: Samples a second.
        window: Samples of a window.
        mels: Bands, from 0 to half the rate.
    """
    edges = hz_of_mels(np.linspace(0.0, float(mels_of_hz(np.array(rate_hz / 2))), mels + 2))
    frequencies = np.linspace(0, rate_hz / 2, window // 2 + 1)
    rising = (frequencies[None] - edges[:-2, None]) / np.maximum(edges[1:-1] - edges[:-2], 1e-9)[:, None]
    falling = (edges[2:, None] - frequencies[None]) / np.maximum(edges[2:] - edges[1:-1], 1e-9)[:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    # A band that is narrower than the distance of two frequencies would be deaf: it hears the nearest.
    for band in np.flatnonzero(filters.sum(1) == 0):
        filters[band, int(np.abs(frequencies - edges[band + 1]).argmin())] = 1.0
    result: np.ndarray = filters.astype(np.float32)
    result.setflags(write=False)
    return result


@functools.lru_cache(maxsize=16)
def hann(window: int) -> np.ndarray:
    """Return a periodic Hann window, float32 ``[window]``."""
    values: np.ndarray = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    values.setflags(write=False)
    return values


def mel_decibels(samples: np.ndarray, *, rate_hz: int, hop: int, mels: int) -> np.ndarray:
    """Return the loudness of bands in decibels below a full-scale sine.

    Args:
        samples: float32 ``[samples]``.
        rate_hz: Samples a second.
        hop: Samples from one frame to the next; a window has four times as many.
        mels: Bands.

    Returns:
        float32 ``[mels, frames]``, one frame for every hop that was begun, its window centred on the start of the hop.
    """
    return mel_decibels_of(spectrum_power(samples, hop=hop), rate_hz=rate_hz, mels=mels)


def spectrum_power(samples: np.ndarray, *, hop: int) -> np.ndarray:
    """Return the power of every frequency below a full-scale sine, float32 ``[frames, OVERLAP * hop // 2 + 1]``.

    Args:
        samples: float32 ``[samples]``.
        hop: Samples from one frame to the next.
    """
    window = OVERLAP * hop
    frames = max(1, -(-len(samples) // hop))
    padded = np.pad(samples, (window // 2, window // 2 + frames * hop - len(samples)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, window)[: frames * hop : hop]
    shape = hann(window)
    spectrum = np.fft.rfft(seen * shape, axis=1) / (shape.sum() / 2)
    power: np.ndarray = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power


def mel_decibels_of(power: np.ndarray, *, rate_hz: int, mels: int) -> np.ndarray:
    """Return the loudness of bands in decibels, float32 ``[mels, frames]``.

    Args:
        power: Of every frequency, from ``spectrum_power``.
        rate_hz: Samples a second.
        mels: Bands.
    """
    filters = mel_filters(rate_hz, window=2 * (power.shape[1] - 1), mels=mels)
    loudness: np.ndarray = 10 * np.log10(np.maximum(filters @ power.T, 1e-12))
    return loudness


def picture_of(decibels: np.ndarray, *, loudest: float) -> np.ndarray:
    """Return loudness as uint8 ``[mels, frames]``, 255 at ``loudest``, 0 at 80 dB below; high pitches are at the top.

    Args:
        decibels: ``[mels, frames]``.
        loudest: In decibels.
    """
    scaled = (decibels - (loudest - RANGE_DB)) * (255 / RANGE_DB)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)[::-1]


def decibels_of(picture: np.ndarray, *, loudest: float) -> np.ndarray:
    """Return the loudness that a picture shows, float32 ``[mels, frames]``."""
    loudness: np.ndarray = picture[::-1].astype(np.float32) * (RANGE_DB / 255) + (loudest - RANGE_DB)
    return loudness
