"""How the picture of a sound is taken: what the codecs of sound and of speech have in common, and what of it suits a data set."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from makar.codecs.codec import CodecConfig
from makar.config import setting

FRAME_STEP, FEWEST_FRAMES = 8, 16
HOP_SECONDS = 0.016
NARROW_RATE_HZ = 12_000
FEW_MELS, MANY_MELS = 64, 80
"""Bands below and from the narrow rate on: what speech is usually seen in."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HearingConfig(CodecConfig):
    """Settings of a codec that sees sounds as pictures."""

    media: ClassVar[tuple[str, ...]] = ("sound",)

    frames: int = setting(
        64, meaning="frames of the picture; each codec says what becomes of longer sounds", minimum=FEWEST_FRAMES
    )

    rate_hz: int = setting(16_000, meaning="samples a second", unit="Hz", minimum=1000, maximum=48_000)
    hop: int = setting(
        256,
        meaning="samples from one frame of the picture to the next; a window has four times as many",
        minimum=16,
        maximum=4096,
    )
    mels: int = setting(80, meaning="bands of pitch, which are the rows of the picture", minimum=16, maximum=256)
    loudest_db: float = setting(
        0.0,
        meaning="loudness of white in the picture, black is 80 dB below; 0 takes the loudest of the data",
        unit="dB of a full-scale sine",
        minimum=-80.0,
        maximum=40.0,
    )

    @property
    def seconds(self) -> float:
        """How long what is seen at once is."""
        return self.frames * self.hop / self.rate_hz

    def with_loudest(self, loudest_db: float) -> Self:
        """Return the settings with the loudness that was found in the data, unless one is given."""
        return self if self.loudest_db else self.changed(loudest_db=min(40.0, round(loudest_db, 1) or -0.1))


def usual_rate_hz(sizes: Mapping[str, Any], *, highest: int) -> int:
    """Return the rate that most of the data has, within bounds."""
    rates = {int(rate): int(count) for rate, count in sizes["rates_hz"].items()}
    return max(1000, min(highest, max(rates, key=lambda one: (rates[one], one))))


def usual_hop(rate_hz: int) -> int:
    """Return the power of two samples that is nearest to 16 ms."""
    hop: int = 2 ** round(math.log2(HOP_SECONDS * rate_hz))
    return hop


def usual_mels(rate_hz: int) -> int:
    """Return how many bands are told apart at a rate."""
    return FEW_MELS if rate_hz < NARROW_RATE_HZ else MANY_MELS


def frames_for(seconds: float, *, rate_hz: int, hop: int, most: int) -> int:
    """Return how many frames hold a sound, a multiple of eight within bounds."""
    return max(FEWEST_FRAMES, min(most, math.ceil(seconds * rate_hz / hop / FRAME_STEP) * FRAME_STEP))
