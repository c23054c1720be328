"""Ten kinds of sound effects computed from formulas: 600 sounds of about a second with labels and captions, the same on every machine.

Each has a pitch, a length and a loudness of its own, drawn from a generator that its number seeds. A caption names the kind and says how
high and how long it is.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from makar.data.builtin.computed import LICENCE, ComputedSource
from makar.data.document import Document
from makar.data.sound import Sound
from makar.data.wave_file import on_grid

RATE_HZ = 16_000
EACH = 60
VERSION = 1
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 1.0

Draw = np.random.Generator
Wave = np.ndarray


def _phase(frequency: Wave) -> Wave:
    return 2 * np.pi * np.cumsum(frequency) / RATE_HZ


def _fading(times: Wave, seconds: float) -> Wave:
    return np.exp(-times / seconds)


def _beep(times: Wave, pitch: float, draw: Draw) -> Wave:
    return np.sin(2 * np.pi * pitch * times) + draw.uniform(0, 0.3) * np.sin(6 * np.pi * pitch * times)


def _rising(times: Wave, pitch: float, draw: Draw) -> Wave:
    return np.sin(_phase(pitch * draw.uniform(2, 4) ** (times / times[-1])))


def _falling(times: Wave, pitch: float, draw: Draw) -> Wave:
    return _rising(times, pitch, draw)[::-1]


def _siren(times: Wave, pitch: float, draw: Draw) -> Wave:
    return np.sin(_phase(pitch * (1.5 + 0.5 * np.sin(2 * np.pi * draw.uniform(3, 6) * times))))


def _bell(times: Wave, pitch: float, draw: Draw) -> Wave:
    parts = ((1.0, 1.0), (2.76, 0.6), (5.4, 0.35), (8.93, 0.2))
    length = draw.uniform(0.15, 0.4)
    struck = [
        size * np.sin(2 * np.pi * pitch * ratio * times) * _fading(times, length / ratio**0.5) for ratio, size in parts
    ]
    return np.sum(struck, axis=0)


def _drum(times: Wave, pitch: float, draw: Draw) -> Wave:
    low = np.sin(_phase(pitch / 4 * (1 + 2 * _fading(times, 0.03))))
    skin = draw.standard_normal(len(times)) * _fading(times, 0.02) * 0.4
    return low * _fading(times, draw.uniform(0.08, 0.2)) + skin


def _noise(times: Wave, pitch: float, draw: Draw) -> Wave:
    spectrum = np.fft.rfft(draw.standard_normal(len(times)))
    frequencies = np.fft.rfftfreq(len(times), 1 / RATE_HZ)
    return np.fft.irfft(spectrum * np.exp(-np.abs(np.log2(np.maximum(frequencies, 1) / (4 * pitch)))), len(times))


def _bird(times: Wave, pitch: float, draw: Draw) -> Wave:
    beat = (times * draw.uniform(5, 9)) % 1
    return np.sin(_phase(4 * pitch * (1 + 0.5 * np.sin(2 * np.pi * beat)))) * np.clip(1 - beat * 1.6, 0, 1)


def _clock(times: Wave, pitch: float, draw: Draw) -> Wave:
    every = draw.uniform(0.1, 0.2)
    since = times % every
    return np.sin(2 * np.pi * 5 * pitch * since) * _fading(since, 0.006)


def _engine(times: Wave, pitch: float, draw: Draw) -> Wave:
    turns = _phase(pitch / 8 * (1 + 0.1 * np.sin(2 * np.pi * draw.uniform(1, 3) * times)))
    return np.sum([np.sin(number * turns + number) / number for number in range(1, 12)], axis=0)


KINDS: dict[str, Callable[[Wave, float, Draw], Wave]] = {
    "beep": _beep,
    "bell": _bell,
    "bird": _bird,
    "clock": _clock,
    "drum": _drum,
    "engine": _engine,
    "falling whistle": _falling,
    "noise": _noise,
    "rising whistle": _rising,
    "siren": _siren,
}


class EffectsSource(ComputedSource):
    """One document a sound."""

    name, medium = "effects", "sound"
    kinds, each = tuple(KINDS), EACH
    size_bytes = round(4 * RATE_HZ * EACH * len(KINDS) * (SHORTEST_SECONDS + LONGEST_SECONDS) / 2)
    note = f"{len(KINDS)} kinds, {EACH} sounds of each, {RATE_HZ} samples a second"
    follows_from = f"effects\t{VERSION}\t{RATE_HZ}\t{EACH}\t{','.join(KINDS)}"

    def document(self, kind: str, number: int) -> Document:
        """Return one of them."""
        return Document(
            name=f"{kind}/{number:03d}",
            read=functools.partial(_one, kind, number),
            label=kind,
            caption=_caption(kind, number),
            licence=LICENCE,
        )


def effect(kind: str, number: int) -> Sound:
    """Return one of the effects.

    Args:
        kind: Of ``KINDS``.
        number: Which of them.
    """
    pitch, seconds, draw = _drawn(kind, number)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = KINDS[kind](times, pitch, draw)
    ends = np.clip(np.minimum(times, times[-1] - times) / 0.01, 0, 1)
    wave = wave * ends * draw.uniform(0.3, 0.9) / max(1e-9, float(np.abs(wave).max()))
    return Sound(on_grid(wave.astype(np.float32))[:, None], RATE_HZ)


def _one(kind: str, number: int) -> Iterator[Sound]:
    return iter([effect(kind, number)])


def _drawn(kind: str, number: int) -> tuple[float, float, Draw]:
    """Return (pitch in Hz, seconds, the generator of all else)."""
    seed = int.from_bytes(hashlib.sha256(f"{kind} {number}".encode()).digest()[:8], "big")
    draw = np.random.default_rng(seed)
    return float(200 * 4 ** draw.uniform(0, 1)), float(draw.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)), draw


def _caption(kind: str, number: int) -> str:
    pitch, seconds, _ = _drawn(kind, number)
    height = ("low", "middle", "high")[min(2, int(3 * np.log(pitch / 200) / np.log(4)))]
    return f"a {'short' if seconds < 0.75 else 'long'} {height} {kind}"
