"""Sound played faster or slower at its own pitch: pieces of it are laid over each other where their waves agree.

A window every half of its length is taken from about where the new time says, moved by up to ``REACH_SECONDS`` to where it is most like
what would have followed the window before; so waves go on without a break and no phase has to be guessed. All channels are moved alike,
which keeps them in step. Source: W. Verhelst and M. Roelands, An overlap-add technique based on waveform similarity (WSOLA), ICASSP 1993.
"""

import numpy as np

from makar.data.film_sound import fitted
from makar.data.sound import Sound, resampled

WINDOW_SECONDS = 0.030
REACH_SECONDS = 0.010
"""Half a period of 50 Hz: of any higher tone a place in step is within reach on both sides."""


def at_speed(sound: Sound, speed: float, *, samples: int, shift_pitch: bool = False) -> Sound:
    """Return a sound that is played so many times as fast.

    Args:
        sound: Any sound.
        speed: 2 is twice as fast.
        samples: How long the result is; what a rounding leaves is cut off or silence.
        shift_pitch: Let the pitch follow, as with a tape: the sound is resampled.

    Returns:
        A sound of the same rate and channels.

    Raises:
        DataError: The pitch is to follow and the package that resamples is missing.
    """
    if speed == 1 or not len(sound.samples):
        return fitted(sound, samples)
    if shift_pitch:
        # As if it had been recorded at another rate; times the speed rounded to a whole rate, which is off by 1e-4 at most.
        faster = Sound(sound.samples, max(1, round(sound.rate_hz * speed)))
        return fitted(resampled(faster, sound.rate_hz), samples)
    return Sound(_overlapped(sound.samples, sound.rate_hz, speed, samples), sound.rate_hz)


def _overlapped(samples: np.ndarray, rate_hz: int, speed: float, length: int) -> np.ndarray:
    """Return samples float32 ``[length, channels]`` at their own pitch."""
    hop = max(1, round(WINDOW_SECONDS / 2 * rate_hz))
    window, reach = 2 * hop, max(1, round(REACH_SECONDS * rate_hz))
    # A window is centred on its time, so the first begins half of it before the sound; silence stands there and behind the end.
    before = hop + reach
    steps = -(-length // hop) + 1
    behind = max(0, round(steps * hop * speed) - len(samples)) + 2 * window + 2 * reach
    padded = np.pad(samples, ((before, behind), (0, 0)))
    heard = padded.mean(axis=1, dtype=np.float64)
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    weight = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)[:, None]
    made = np.zeros((steps * hop + window, samples.shape[1]), np.float32)
    last = len(padded) - window
    natural = before - hop
    for step in range(steps):
        wanted = min(before - hop + round(step * hop * speed), last)
        start = _most_alike(heard, energy, natural, wanted, window, reach) if step else wanted
        made[step * hop : step * hop + window] += weight * padded[start : start + window]
        natural = min(start + hop, last)
    return np.ascontiguousarray(made[hop : hop + length])


def _most_alike(heard: np.ndarray, energy: np.ndarray, natural: int, wanted: int, window: int, reach: int) -> int:
    """Return where near ``wanted`` a window begins that is most like the one at ``natural``."""
    pattern = heard[natural : natural + window]
    first = max(0, wanted - reach)
    region = heard[first : min(wanted + reach, len(heard) - window) + window]
    places = len(region) - window + 1
    size = 1 << (len(region) + window - 1).bit_length()
    # The correlation at every place at once, by the theorem of convolution.
    both = np.fft.rfft(region, size) * np.conj(np.fft.rfft(pattern, size))
    alike = np.fft.irfft(both, size)[:places]
    power = energy[first + window : first + window + places] - energy[first : first + places]
    score = alike / np.sqrt(np.maximum(power, 1e-12))
    best = int(score.argmax())
    # In silence everything is alike: there the time decides.
    return first + best if score[best] > 1e-6 else wanted
