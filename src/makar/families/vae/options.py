"""The controls of a variational autoencoder when it makes or rebuilds an image; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class VaeOptions(Config):
    """How an image is made from latents."""

    kind: ClassVar[str] = ""

    temperature: float = setting(
        1.0,
        meaning="deviation of the latents that are drawn; below 1 is more usual, above 1 stranger",
        minimum=0.0,
        maximum=5.0,
    )
    prior: str = setting(
        "fitted",
        meaning="fitted draws latents as those of the training images are spread, standard as the model was trained",
        choices=("fitted", "standard"),
    )
    draw: bool = setting(False, meaning="draw every pixel from its distribution instead of showing its mean")
    kept_levels: int = setting(
        0,
        meaning="levels of latents, from the coarsest, that are taken from a given image while the rest is drawn; 0 takes all",
        minimum=0,
        maximum=16,
    )
