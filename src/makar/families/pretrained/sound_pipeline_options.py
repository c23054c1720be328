"""Controls of sounds from a pipeline of diffusers; ``None`` takes what the pipeline does by itself."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundPipelineOptions(Config):
    """Controls of a pipeline that makes sounds."""

    kind: ClassVar[str] = ""

    seconds: float = setting(5.0, meaning="how long it is", unit="seconds", minimum=0.1, maximum=600.0)
    steps: int | None = setting(None, meaning="steps of the solver", minimum=1, maximum=1000)
    guidance: float | None = setting(
        None, meaning="how strictly to follow what is described", minimum=1.0, maximum=100.0
    )
    negative_prompt: str | None = setting(None, meaning="what it must not be; needs guidance")
