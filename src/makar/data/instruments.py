"""A piece of music to samples: notes as sums of partials with an attack and a decay, in NumPy, the same on every machine.

Additive synthesis (Moorer 1977): each kind of instrument is a row of partials with an envelope; struck and plucked ones decay, blown
and bowed ones stay, a struck bar has partials that are no multiples. Drums are noise with a decay, low ones with a tone that falls. It
is no orchestra; it needs nothing, says what notes there are, and is deterministic.
"""

import dataclasses

import numpy as np

from makar.data.score import DRUMS, STEPS_A_QUARTER, Score
from makar.errors import UnsupportedError

SAMPLE_RATE_HZ = 22_050
LONGEST_SECONDS = 1200.0
RELEASE_SECONDS, ATTACK_SECONDS = 0.08, 0.012
LOUDEST = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timbre:
    """How an instrument sounds.

    Attributes:
        partials: (multiple of the frequency, strength).
        half_life: Seconds in which a held note falls to half; 0 stays.
        attack: Seconds until it is there.
    """

    partials: tuple[tuple[float, float], ...]
    half_life: float
    attack: float = ATTACK_SECONDS


_STRING = tuple((float(n), 1.0 / n**1.3) for n in range(1, 9))
_ORGAN = ((1.0, 1.0), (2.0, 0.6), (3.0, 0.3), (4.0, 0.35), (6.0, 0.12), (8.0, 0.15))
_REED = tuple((float(n), 1.0 / n) for n in (1, 3, 5, 7, 9))
_VOICE = ((1.0, 1.0), (2.0, 0.45), (3.0, 0.3), (4.0, 0.1))
_BAR = ((1.0, 1.0), (3.93, 0.4), (9.24, 0.15))
_FLUTE = ((1.0, 1.0), (2.0, 0.2), (3.0, 0.06))
FAMILIES: tuple[Timbre, ...] = (
    Timbre(partials=_STRING, half_life=0.45, attack=0.004),  # pianos
    Timbre(partials=_BAR, half_life=0.25, attack=0.002),  # bells and bars
    Timbre(partials=_ORGAN, half_life=0.0),
    Timbre(partials=_STRING, half_life=0.35, attack=0.003),  # guitars
    Timbre(partials=_STRING[:5], half_life=0.5, attack=0.005),  # basses
    Timbre(partials=_STRING, half_life=0.0, attack=0.06),  # strings
    Timbre(partials=_VOICE, half_life=0.0, attack=0.06),  # ensembles and voices
    Timbre(partials=_STRING[:6], half_life=0.0, attack=0.03),  # brass
    Timbre(partials=_REED, half_life=0.0, attack=0.02),
    Timbre(partials=_FLUTE, half_life=0.0, attack=0.04),  # pipes
    Timbre(partials=_REED[:3], half_life=0.0),  # synthesised leads
    Timbre(partials=_VOICE, half_life=0.0, attack=0.12),  # pads
    Timbre(partials=_BAR, half_life=0.6),
    Timbre(partials=_STRING[:4], half_life=0.3, attack=0.003),  # plucked strings of the world
    Timbre(partials=_BAR, half_life=0.15, attack=0.002),
    Timbre(partials=_FLUTE, half_life=0.2),
)
"""One for every eight programs of General MIDI."""


def sound_of(score: Score, *, rate: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Return a piece as sound, float32 ``[samples]`` in -1..1.

    Args:
        score: The piece.
        rate: Samples a second.

    Raises:
        UnsupportedError: It lasts longer than twenty minutes.
    """
    if score.seconds() > LONGEST_SECONDS:
        raise UnsupportedError(
            f"a piece of {score.seconds() / 60:.0f} minutes as sound", expected=f"at most {LONGEST_SECONDS / 60:.0f}"
        )
    step = 60 / score.tempo / STEPS_A_QUARTER
    mixed = np.zeros(round((score.seconds() + 2 * RELEASE_SECONDS) * rate) + 1, np.float64)
    known: dict[tuple[int, int, int], np.ndarray] = {}
    for note in score.notes:
        key = (note.program, note.pitch, note.duration)
        if key not in known:
            seconds = note.duration * step
            known[key] = (
                _drum(note.pitch, rate) if note.program == DRUMS else _tone(note.program, note.pitch, seconds, rate)
            )
        begin = round(note.start * step * rate)
        part = known[key][: len(mixed) - begin]
        mixed[begin : begin + len(part)] += part
    loudest = float(np.abs(mixed).max(initial=0.0))
    return (mixed * (LOUDEST / loudest if loudest else 0.0)).astype(np.float32)


def _tone(program: int, pitch: int, seconds: float, rate: int) -> np.ndarray:
    timbre = FAMILIES[program // 8]
    times = np.arange(round((seconds + RELEASE_SECONDS) * rate)) / rate
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    wave_ = np.zeros(len(times))
    for multiple, strength in timbre.partials:
        # Above half the rate a partial would come back as another tone.
        if frequency * multiple < 0.45 * rate:
            decay = 0.5 ** (times * multiple**0.5 / timbre.half_life) if timbre.half_life else 1.0
            wave_ += strength * decay * np.sin(2 * np.pi * frequency * multiple * times)
    rise = np.minimum(1.0, times / timbre.attack)
    fall = np.clip((seconds + RELEASE_SECONDS - times) / RELEASE_SECONDS, 0.0, 1.0)
    return wave_ * rise * fall / sum(strength for _, strength in timbre.partials)


def _drum(pitch: int, rate: int) -> np.ndarray:
    is_low = pitch < 41
    times = np.arange(round(0.25 * rate)) / rate
    # The same drum is the same noise every time.
    noise = np.random.default_rng(pitch).standard_normal(len(times)) * 0.5 ** (times / (0.02 if is_low else 0.04))
    tone = np.sin(2 * np.pi * (60 * times - 8 * np.exp(-times * 30))) * 0.5 ** (times / 0.06) if is_low else 0.0
    return 0.3 * noise + tone
