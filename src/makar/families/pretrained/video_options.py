"""Controls of clips from a pipeline of diffusers; ``None`` takes what the pipeline does by itself."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoPipelineOptions(Config):
    """Controls of a pipeline that makes clips."""

    kind: ClassVar[str] = ""

    steps: int | None = setting(None, meaning="steps of the solver", minimum=1, maximum=1000)
    guidance: float | None = setting(
        None, meaning="how strictly to follow what is described", minimum=1.0, maximum=100.0
    )
    negative_prompt: str | None = setting(None, meaning="what it must not be; needs guidance")
    frames: int | None = setting(
        None, meaning="how many frames; pipelines want one more than a multiple", minimum=1, maximum=4096
    )
    width: int | None = setting(None, meaning="width", unit="pixels", minimum=8, maximum=4096)
    height: int | None = setting(None, meaning="height", unit="pixels", minimum=8, maximum=4096)
