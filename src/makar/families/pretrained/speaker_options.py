"""Controls of speech from a checkpoint of others; what a checkpoint cannot honour its sampler refuses."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeakerOptions(Config):
    """Controls of a checkpoint that speaks; ``None`` takes what the checkpoint does by itself. ``speed`` is told with the text."""

    kind: ClassVar[str] = ""

    label: str | None = setting(None, meaning="the voice; none takes the first")
    noise: float | None = setting(
        None, meaning="VITS: how much the sound differs from one seed to another", minimum=0.0, maximum=2.0
    )
    rhythm_noise: float | None = setting(
        None, meaning="VITS: how much the rhythm differs from one seed to another", minimum=0.0, maximum=2.0
    )
