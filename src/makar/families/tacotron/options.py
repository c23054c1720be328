"""The controls of Tacotron; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class TacotronOptions(Config):
    """How frames are said, one after the other."""

    kind: ClassVar[str] = ""

    stop: float = setting(
        0.5, meaning="how sure the model must be that all has been said before it stops", minimum=0.0, maximum=1.0
    )
    label: str | None = setting(None, meaning="name of the voice; none draws voices as frequent as in the data")
