"""What is known of a pipeline of video without opening it: the hash of its folder, its class and its size; no torch."""

import dataclasses
from typing import ClassVar, Literal

from makar.codecs.video_config import HIGHEST_RATE_HZ
from makar.codecs.worded_video_config import WordedVideoCodecConfig
from makar.config import setting
from makar.families.pretrained.checkpoint_config import AsItCameConfig
from makar.tensor_spec import CAPTION, TensorSpec

RATES_HZ = {"WanPipeline": 16.0, "LTXPipeline": 25.0, "CogVideoXPipeline": 8.0}
"""By class of diffusers: the frames a second of what such pipelines learned from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoPipelineConfig(AsItCameConfig):
    """A pipeline of diffusers that makes clips of what is described."""

    kind: ClassVar[str] = "pretrained-video"
    engine: ClassVar[str] = "diffusers"
    target: ClassVar[str] = "makar.families.pretrained.video_pipeline:VideoPipeline"
    item_name: ClassVar[str] = "clip"
    batching: ClassVar[Literal["items", "windows", "ragged"]] = "items"

    rate_hz: float = setting(16.0, meaning="frames a second", unit="Hz", minimum=1.0, maximum=HIGHEST_RATE_HZ)

    def accepts(self) -> TensorSpec:
        """Return clips of any length and size, and the bytes of their descriptions."""
        slots = dict(WordedVideoCodecConfig().spec().slots)
        slots[CAPTION] = dataclasses.replace(slots[CAPTION], optional=True)
        return TensorSpec(slots)


def is_of_video(name: str) -> bool:
    """Return whether the class that a folder names is one of video.

    >>> is_of_video("WanPipeline"), is_of_video("FluxPipeline")
    (True, False)
    """
    return name in RATES_HZ
