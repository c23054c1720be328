"""The controls of image generation."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting

SOLVER_NAMES = ("euler", "heun", "dpm++2m", "unipc", "adams")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageOptions(Config):
    """How an image is made from noise."""

    kind: ClassVar[str] = ""

    steps: int = setting(
        10, meaning="steps from noise to image; the network runs once a step, with heun twice", minimum=1, maximum=1000
    )
    solver: str = setting("adams", meaning="how a step is taken", choices=SOLVER_NAMES)
    shift: float = setting(
        1.0, meaning="above 1: more of the steps near the noise; below 1: near the image", minimum=0.05, maximum=20.0
    )
    guidance: float = setting(
        1.0,
        meaning="how strongly the class is insisted on; 1 is the model itself, 0 ignores the class",
        minimum=0.0,
        maximum=20.0,
    )
    label: str | None = setting(
        None, meaning="name of the class to make; none draws classes as frequent as in the data"
    )
