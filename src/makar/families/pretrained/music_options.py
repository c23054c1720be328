"""Controls of music and sounds from a checkpoint of others that writes tokens."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicOptions(Config):
    """Controls of a checkpoint that writes tokens of sound; ``None`` takes what the checkpoint says."""

    kind: ClassVar[str] = ""

    seconds: float = setting(8.0, meaning="how long it is", unit="seconds", minimum=0.1, maximum=3600.0)
    guidance: float | None = setting(
        None, meaning="how strictly to follow what is described; 1 is not at all more", minimum=1.0, maximum=100.0
    )
    temperature: float = setting(1.0, meaning="divides the logits; 0 takes the likeliest token always", minimum=0.0)
    top_k: int | None = setting(None, meaning="only the k most likely; 0 is all", minimum=0)
    top_p: float = setting(1.0, meaning="smallest set with this probability", minimum=0.0, maximum=1.0)
