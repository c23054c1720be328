"""The controls of VITS; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class VitsOptions(Config):
    """How latents are drawn."""

    kind: ClassVar[str] = ""

    temperature: float = setting(
        0.667, meaning="deviation of the latents that are drawn; 0 takes their mean", minimum=0.0, maximum=2.0
    )
    label: str | None = setting(None, meaning="name of the voice; none draws voices as frequent as in the data")
