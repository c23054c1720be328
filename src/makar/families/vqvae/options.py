"""The controls of an autoencoder of tokens: none, because it rebuilds what it is given and draws nothing."""

import dataclasses
from typing import ClassVar

from makar.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class VqvaeOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""
