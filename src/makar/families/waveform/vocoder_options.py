"""The controls of a vocoder; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class VocoderOptions(Config):
    """How the sound of a picture is brought nearer to it."""

    kind: ClassVar[str] = ""

    rounds: int = setting(
        16,
        meaning="rounds in which phases are settled, with sizes fitted to the picture; 0 takes the sound of the network as it is",
        minimum=0,
        maximum=1000,
    )
