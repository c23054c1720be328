"""The controls of a model of images and captions in one space: none, because it makes nothing."""

import dataclasses
from typing import ClassVar

from makar.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContrastiveOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""
