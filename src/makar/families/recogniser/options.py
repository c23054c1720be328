"""The controls of a recogniser: none, because it makes nothing."""

import dataclasses
from typing import ClassVar

from makar.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecogniserOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""
