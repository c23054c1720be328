"""The controls of WaveNet; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting

LONGEST_SECONDS = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class WavenetOptions(Config):
    """How samples are drawn, one after the other."""

    kind: ClassVar[str] = ""

    temperature: float = setting(
        1.0, meaning="below 1 the likelier samples are likelier still; 0 takes the likeliest", minimum=0.0, maximum=5.0
    )
    seconds: float | None = setting(
        None,
        meaning="how long the sound is; none takes the length of the examples, and of a picture no more is there",
        unit="seconds",
        minimum=0.001,
        maximum=LONGEST_SECONDS,
    )
    label: str | None = setting(
        None, meaning="name of the class to make; none draws classes as frequent as in the data"
    )
