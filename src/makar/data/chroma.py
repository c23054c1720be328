"""Which of the twelve notes sound at each moment, and where something begins: what is left of music when octave and timbre are taken away.

Chroma is the power of a long window's frequencies, added up over the octaves by the note that each is nearest to (Fujishima 1999); the
window is long because notes that are low stand close. Something begins where the loudness of frequencies rises from one frame to the next,
which a short window tells more exactly (Masri 1996: spectral flux). The twelve notes of the equal temperament at 440 Hz; 0 is C.
"""

import functools
import itertools

import numpy as np

from makar.data.spectrogram import OVERLAP, hann

NOTES = 12
NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
CHROMA_SECONDS = 0.2
"""Least length of the long window: at 110 Hz two neighbouring notes are 6.5 Hz apart."""

LOWEST_HZ, HIGHEST_HZ = 80.0, 2_000.0
MELODY_LOWEST_HZ = 220.0
"""Below it stand basses and chords; a melody is looked for above."""

SILENT = NOTES
"""In a melody: nothing sounds."""
QUIET_DB = 45.0
"""So much below the loudest moment a frame counts as silent."""

ONSET_BANDS = 4
STEEP_DB = 12.0
"""Mean rise of a band within one frame that counts as the clearest beginning."""

OUTLINE_ROWS = NOTES + ONSET_BANDS


@functools.lru_cache(maxsize=16)
def note_weights(rate_hz: int, window: int, lowest_hz: float) -> np.ndarray:
    """Return how much every frequency counts for every note, float32 ``[12, window // 2 + 1]``.

    Args:
        rate_hz: Samples a second.
        window: Samples of a window.
        lowest_hz: Frequencies below it, and above ``HIGHEST_HZ``, count for none.
    """
    frequencies = np.linspace(0, rate_hz / 2, window // 2 + 1)
    pitches = 69 + 12 * np.log2(np.maximum(frequencies, 1.0) / 440)
    away = (pitches[None] - np.arange(NOTES)[:, None] + 6) % 12 - 6
    # A frequency between two notes counts for both a little; the deviation is a quarter of a tone.
    weights = np.exp(-0.5 * (away / 0.5) ** 2) * ((frequencies >= lowest_hz) & (frequencies <= HIGHEST_HZ))
    result: np.ndarray = weights.astype(np.float32)
    result.setflags(write=False)
    return result


def chroma_of(samples: np.ndarray, *, rate_hz: int, hop: int, lowest_hz: float = LOWEST_HZ) -> np.ndarray:
    """Return the power of every note, float32 ``[12, frames]``, one frame for every hop that was begun, its window centred there.

    Args:
        samples: float32 ``[samples]``.
        rate_hz: Samples a second.
        hop: Samples from one frame to the next.
        lowest_hz: What is lower is not looked at.
    """
    window = 1 << int(np.ceil(np.log2(CHROMA_SECONDS * rate_hz)))
    power = np.abs(_spectra(samples, hop, window)) ** 2
    found: np.ndarray = note_weights(rate_hz, window, lowest_hz) @ power.T.astype(np.float32)
    return found


def melody_of(samples: np.ndarray, *, rate_hz: int, hop: int) -> np.ndarray:
    """Return the note that leads at every frame, int64 ``[frames]``, 0 (C) to 11, or ``SILENT``."""
    chroma = chroma_of(samples, rate_hz=rate_hz, hop=hop, lowest_hz=MELODY_LOWEST_HZ)
    loudest = chroma.max(initial=1e-12)
    is_quiet = chroma.max(0) < loudest * 10 ** (-QUIET_DB / 10)
    return np.where(is_quiet, SILENT, chroma.argmax(0)).astype(np.int64)


def onsets_of(samples: np.ndarray, *, rate_hz: int, hop: int) -> np.ndarray:
    """Return how clearly something begins in four bands at every frame, float32 ``[4, frames]``, 0 to 1; low bands first.

    Args:
        samples: float32 ``[samples]``.
        rate_hz: Samples a second.
        hop: Samples from one frame to the next.
    """
    power = np.abs(_spectra(samples, hop, OVERLAP * hop)) ** 2
    decibels = 10 * np.log10(np.maximum(power, power.max(initial=1e-12) * 1e-6))
    rise = np.maximum(0.0, np.diff(decibels, axis=0, prepend=decibels[:1]))
    frequencies = np.linspace(0, rate_hz / 2, rise.shape[1])
    edges = np.searchsorted(frequencies, [60.0, 250.0, 700.0, 1_800.0, min(5_000.0, rate_hz / 2)])
    bands = [rise[:, low : max(high, low + 1)].mean(1) for low, high in itertools.pairwise(edges)]
    return np.minimum(1.0, np.stack(bands) / STEEP_DB).astype(np.float32)


def outline_of(samples: np.ndarray, *, rate_hz: int, hop: int) -> np.ndarray:
    """Return notes and beginnings as a picture, uint8 ``[16, frames]``: twelve rows of notes as shares of the strongest, four of onsets.

    Args:
        samples: float32 ``[samples]``.
        rate_hz: Samples a second.
        hop: Samples from one frame to the next.
    """
    chroma = chroma_of(samples, rate_hz=rate_hz, hop=hop)
    strongest = chroma.max(0)
    is_heard = strongest > strongest.max(initial=1e-12) * 10 ** (-QUIET_DB / 10)
    notes = np.sqrt(chroma / np.maximum(strongest, 1e-12)) * is_heard
    rows = np.concatenate([notes, onsets_of(samples, rate_hz=rate_hz, hop=hop)])
    return np.rint(255 * np.clip(rows, 0, 1)).astype(np.uint8)


def _spectra(samples: np.ndarray, hop: int, window: int) -> np.ndarray:
    """Return the spectrum of every frame, complex ``[frames, window // 2 + 1]``, 1 for a full-scale sine."""
    frames = max(1, -(-len(samples) // hop))
    padded = np.pad(samples, (window // 2, window // 2 + frames * hop - len(samples)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, window)[: frames * hop : hop]
    shape = hann(window)
    return np.asarray(np.fft.rfft(seen * shape, axis=1) / (shape.sum() / 2))
