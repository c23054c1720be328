"""Settings of the codec of music; no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicCodecConfig(CodecConfig):
    """Music as words: events of a piece, or four parts sixteenth by sixteenth; style, key and instruments may be told before."""

    kind: ClassVar[str] = "music"
    target: ClassVar[str] = "makar.codecs.music:MusicCodec"
    media: ClassVar[tuple[str, ...]] = ("music",)

    keys: int = setting(
        12,
        meaning="keys in which a training piece is heard, its own the first, as far as they are in range",
        minimum=1,
        maximum=12,
    )
    untold: float = setting(
        0.15, meaning="share of the pieces of which style, key or instruments are not told", minimum=0.0, maximum=0.9
    )
    leading_share: float = setting(
        0.25,
        meaning="share of pieces of four parts in another key in which one part runs ahead, so that the others learn to follow",
        minimum=0.0,
        maximum=1.0,
    )
    lead_steps: int = setting(16, meaning="how far it runs ahead", unit="sixteenths", minimum=1, maximum=64)
    remind_bars: int = setting(
        0,
        meaning="after how many bars style, key and instruments are told again, so that no window is without them; 0 is never",
        unit="bars",
        minimum=0,
        maximum=64,
    )
