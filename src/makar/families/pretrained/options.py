"""Controls of images from a pretrained pipeline; what a pipeline cannot honour its sampler refuses."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting

SOLVERS = ("euler", "heun", "dpm++2m", "unipc", "adams", "ancestral")
EDIT_CHOICES = ("image-to-image", "inpaint", "control")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedOptions(Config):
    """Controls of a pretrained pipeline; ``None`` takes what the pipeline does by itself."""

    kind: ClassVar[str] = ""

    steps: int | None = setting(None, meaning="steps of the solver", minimum=1, maximum=1000)
    solver: str | None = setting(None, meaning="solver; none takes that of the folder", choices=SOLVERS)
    shift: float | None = setting(
        None, meaning="of flow pipelines: above 1 takes more of the steps near the noise", minimum=0.01, maximum=100.0
    )
    guidance: float | None = setting(None, meaning="how strictly to follow the prompt", minimum=0.0, maximum=100.0)
    true_guidance: float | None = setting(
        None,
        meaning="guidance by a second pass, of pipelines such as Flux whose guidance is only told to the network",
        minimum=1.0,
        maximum=100.0,
    )
    negative_prompt: str | None = setting(None, meaning="what the image must not be; needs guidance")
    width: int | None = setting(None, meaning="width of new images", unit="pixels", minimum=8, maximum=4096)
    height: int | None = setting(None, meaning="height of new images", unit="pixels", minimum=8, maximum=4096)
    strength: float | None = setting(
        None, meaning="image to image: 0 leaves the image, 1 does not look at it", minimum=0.0, maximum=1.0
    )
    control_scale: float | None = setting(
        None, meaning="control: weight of the map that steers the image", minimum=0.0, maximum=10.0
    )
    edit: str | None = setting(None, meaning="what to do with a given image", choices=EDIT_CHOICES)
