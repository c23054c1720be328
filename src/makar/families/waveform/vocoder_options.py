"""The controls of a vocoder: there are none, for a picture has one sound; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class VocoderOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""
