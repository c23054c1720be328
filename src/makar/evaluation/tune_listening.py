"""What is heard in a tune without any learned model: its key and its tempo, each found from the samples alone.

The key is the one of 24 whose profile fits the mean chroma best (Krumhansl and Kessler 1982; Krumhansl 1990, chapter 4, by correlation).
The tempo is the one whose beat explains best where something begins: the autocorrelation of the onsets, weighted by how usual a tempo is
(Ellis 2007, "Beat tracking by dynamic programming", section 3.2). Neither is certain; both stand beside what real tunes get.
"""

import functools

import numpy as np

from makar.data.chroma import NOTE_NAMES, NOTES, chroma_of, onsets_of
from makar.data.keys import MAJOR, MINOR
from makar.data.sound import Sound

MODES = ("major", "minor")
PROFILES = dict(zip(MODES, (MAJOR, MINOR), strict=True))
"""How well every note fits a key, from its first note on."""
HOP_SECONDS = 0.016
USUAL_TEMPO, OCTAVES = 110.0, 0.9
SLOWEST_TEMPO, FASTEST_TEMPO = 40.0, 240.0


def key_of(sound: Sound) -> tuple[int, str]:
    """Return the key that a sound is in: its first note, 0 is C, and ``"major"`` or ``"minor"``."""
    hop = round(HOP_SECONDS * sound.rate_hz)
    chroma = np.sqrt(chroma_of(sound.mono(), rate_hz=sound.rate_hz, hop=hop)).mean(1)
    if chroma.std() < 1e-12:
        return 0, MODES[0]
    fits = _profiles() @ ((chroma - chroma.mean()) / chroma.std())
    mode, tonic = divmod(int(fits.argmax()), NOTES)
    return tonic, MODES[mode]


def key_name(tonic: int, mode: str) -> str:
    """Return the name of a key.

    >>> key_name(7, "minor")
    'G minor'
    """
    return f"{NOTE_NAMES[tonic]} {mode}"


def tempo_of(sound: Sound) -> float:
    """Return the beats a minute that a sound is heard at, 40 to 240; 0 where nothing begins."""
    hop = round(HOP_SECONDS * sound.rate_hz)
    onsets = onsets_of(sound.mono(), rate_hz=sound.rate_hz, hop=hop).mean(0)
    onsets = onsets - onsets.mean()
    if not onsets.any():
        return 0.0
    size = 1 << (2 * len(onsets) - 1).bit_length()
    spectrum = np.fft.rfft(onsets, size)
    together = np.fft.irfft(np.abs(spectrum) ** 2, size)[: len(onsets)]
    frames_a_minute = 60 * sound.rate_hz / hop
    lags = np.arange(
        max(1, int(frames_a_minute / FASTEST_TEMPO)), min(len(together), int(frames_a_minute / SLOWEST_TEMPO))
    )
    if not len(lags):
        return 0.0
    tempos = frames_a_minute / lags
    weight = np.exp(-0.5 * (np.log2(tempos / USUAL_TEMPO) / OCTAVES) ** 2)
    return float(tempos[int((weight * together[lags]).argmax())])


@functools.cache
def _profiles() -> np.ndarray:
    """Return the profile of every key, of mean 0 and deviation 1, ``[24, 12]``, the major ones first."""
    rows = [np.roll(PROFILES[mode], tonic) for mode in MODES for tonic in range(NOTES)]
    profiles = np.array(rows)
    return np.asarray((profiles - profiles.mean(1, keepdims=True)) / profiles.std(1, keepdims=True))
