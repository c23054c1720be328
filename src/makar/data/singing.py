"""Spoken words as they would be sung: each vowel held for its note, at the pitch of that note, in NumPy.

A voice is what sounds, times what it sounds through. The second half is kept: the outline of the spectrum of the recording, the first part
of its cepstrum, moment by moment. The first is made anew, harmonics of the note where a phone has a voice, noise where it has none
(the source-filter model of speech; Dudley 1939, "Remaking speech", Oppenheim and Schafer 1968 for the cepstrum). A vowel begins with
its note, as singers do it; the consonants before it are spoken at their own pace at the end of the note before. So when each phone is
sung is known as exactly as when it was spoken.
"""

import dataclasses

import numpy as np

from makar.data.spectrogram import OVERLAP, hann

HOP = 128
OUTLINE_SECONDS = 0.004
"""Longer quefrencies are the harmonics of the speaker, who is no higher than 250 Hz."""

VOWELS = frozenset(("aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"))
VOICELESS = frozenset(("ch", "f", "hh", "k", "p", "pau", "s", "sh", "t", "th"))
BUZZING = frozenset(("dh", "jh", "v", "z", "zh"))
BREATH, BUZZ = 0.2, 0.5
VIBRATO_HZ, VIBRATO_SEMITONES, STEADY_SECONDS = 5.5, 0.25, 0.25
GLIDE_SECONDS = 0.05
HIGHEST_SHARE = 0.47
"""Of the rate: harmonics above would come back as other tones."""

MOST_OF_NOTE = 0.5
"""Consonants take half of a note at most and are hurried where they would take more."""

SpokenPhones = list[tuple[str, float]]
"""Phones, each with the second at which it ends."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SungNote:
    """A note of a melody that is sung.

    Attributes:
        start: In seconds.
        end: In seconds.
        pitch: As in MIDI: 69 is 440 Hz.
    """

    start: float
    end: float
    pitch: int


def syllables(phones: SpokenPhones) -> int:
    """Return how many notes words need: one a vowel."""
    return sum(name in VOWELS for name, _ in phones)


def sung_phones(phones: SpokenPhones, notes: list[SungNote]) -> SpokenPhones:
    """Return when each phone ends when the words are sung.

    Args:
        phones: As they were spoken, with a pause at both ends.
        notes: One a vowel.

    Raises:
        ValueError: They are more or fewer.
    """
    names = [name for name, _ in phones]
    lengths = np.diff([end for _, end in phones], prepend=0.0)
    vowels = [place for place, name in enumerate(names) if name in VOWELS]
    starts = np.zeros(len(names) + 1)
    after = (len(names), notes[-1].end + lengths[vowels[-1] + 1 :].sum())
    following = [*zip(vowels[1:], (note.start for note in notes[1:]), strict=True), after]
    for place, note, (last, until) in zip(vowels, notes, following, strict=True):
        starts[place] = note.start
        within = lengths[place + 1 : last]
        room = until - note.start
        hurry = min(1.0, MOST_OF_NOTE * room / max(within.sum(), 1e-9))
        starts[place + 1 : last + 1] = until - hurry * (within.sum() - np.concatenate([[0.0], np.cumsum(within)]))
    before = np.cumsum(lengths[: vowels[0]][::-1])[::-1]
    starts[: vowels[0]] = notes[0].start - before * min(1.0, notes[0].start / max(before[0], 1e-9))
    return list(zip(names, starts[1:].tolist(), strict=True))


def sung(samples: np.ndarray, phones: SpokenPhones, notes: list[SungNote], *, rate: int) -> np.ndarray:
    """Return words as they are sung, float32 ``[samples]``.

    Args:
        samples: The words as they were spoken, float32 ``[samples]``.
        phones: The phones in it, with a pause at both ends.
        notes: One a vowel.
        rate: Samples a second.
    """
    ends = sung_phones(phones, notes)
    length = round(ends[-1][1] * rate)
    frames = -(-length // HOP)
    times = np.arange(frames) * HOP / rate
    spoken_at = np.interp(times, [0.0, *(end for _, end in ends)], [0.0, *(end for _, end in phones)])
    outline = _outlines(samples, rate)
    place = np.minimum(spoken_at * rate / HOP, len(outline) - 1.001)
    share = (place % 1)[:, None]
    loud = (1 - share) * outline[place.astype(int)] + share * outline[place.astype(int) + 1]
    spectra = _spectra(_excitation(ends, notes, length, rate)) * np.exp(loud)
    return _joined(spectra, length)


def _outlines(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the logarithm of the outline of the spectrum at every hop, float64 ``[frames, frequencies]``."""
    seen = np.log(np.maximum(np.abs(_spectra(samples)), 1e-5))
    cepstrum = np.fft.irfft(seen, axis=1)
    cut = round(OUTLINE_SECONDS * rate)
    cepstrum[:, cut : cepstrum.shape[1] - cut + 1] = 0
    smooth = np.fft.rfft(cepstrum, axis=1).real
    # The mean of decibels lies below that of the power: every moment stays as loud as it was.
    lost = np.log(np.exp(2 * seen).sum(1) / np.exp(2 * smooth).sum(1)) / 2
    # An excitation of power 1 has this spectrum.
    flat = np.log(np.sqrt((hann(OVERLAP * HOP) ** 2).sum()))
    found: np.ndarray = smooth + lost[:, None] - flat
    return found


def _excitation(ends: SpokenPhones, notes: list[SungNote], length: int, rate: int) -> np.ndarray:
    """Return what sounds before it goes through a mouth, float64 ``[samples]`` of power 1."""
    times = np.arange(length) / rate
    pitch = np.full(length, float(notes[0].pitch))
    for note in notes:
        inside = times >= note.start
        pitch[inside] = note.pitch
        held = np.clip((times - note.start - STEADY_SECONDS) / STEADY_SECONDS, 0, 1) * inside
        pitch += VIBRATO_SEMITONES * held * (times < note.end) * np.sin(2 * np.pi * VIBRATO_HZ * times)
    glide = np.hanning(round(GLIDE_SECONDS * rate) | 1)
    pitch = np.convolve(np.pad(pitch, len(glide) // 2, mode="edge"), glide / glide.sum(), mode="valid")
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    names = [name for name, _ in ends]
    which = np.minimum(np.searchsorted([end for _, end in ends], times, side="right"), len(names) - 1)
    voiced = np.array([name not in VOICELESS for name in names], np.float64)[which]
    noisy = np.array([BUZZ if name in BUZZING else BREATH for name in names])[which]
    edge = np.hanning(round(0.01 * rate) | 1)
    voiced = np.convolve(voiced, edge / edge.sum(), mode="same")
    noise = np.random.default_rng(length).standard_normal(length + 1)
    # A difference has more of the high frequencies, as breath has.
    breath, noise = np.diff(noise) / np.sqrt(2), noise[1:]
    # All harmonics below half the rate at once: the kernel of Dirichlet, whose denominator is 0 where all of them are 1.
    count = np.floor(HIGHEST_SHARE * rate / frequency)
    half = np.sin(phase / 2)
    is_peak = np.abs(half) < 1e-6
    tone = np.where(is_peak, count, np.sin((count + 0.5) * phase) / np.where(is_peak, 1.0, 2 * half) - 0.5)
    tone *= np.sqrt(2 / count)
    sounding = tone + noisy * breath
    found: np.ndarray = voiced * sounding + (1 - voiced) * noise
    return found


def _spectra(samples: np.ndarray) -> np.ndarray:
    window = OVERLAP * HOP
    frames = -(-len(samples) // HOP)
    padded = np.pad(samples.astype(np.float64), (window // 2, window // 2 + HOP))
    seen = np.lib.stride_tricks.sliding_window_view(padded, window)[: frames * HOP : HOP]
    found: np.ndarray = np.fft.rfft(seen * hann(window), axis=1)
    return found


def _joined(spectra: np.ndarray, length: int) -> np.ndarray:
    window = OVERLAP * HOP
    parts = np.fft.irfft(spectra, axis=1) * hann(window)
    whole = np.zeros(len(parts) * HOP + window)
    for number, part in enumerate(parts):
        whole[number * HOP : number * HOP + window] += part
    # Squared windows of Hann, four over every sample, add up to one and a half.
    found: np.ndarray = (whole[window // 2 : window // 2 + length] / 1.5).astype(np.float32)
    return found
