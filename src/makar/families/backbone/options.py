"""The controls of the generation of backbones."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting

SOLVER_NAMES = ("euler", "heun", "dpm++2m", "unipc", "adams")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackboneOptions(Config):
    """How a backbone is made from noise."""

    kind: ClassVar[str] = ""

    residues: int | None = setting(
        None, meaning="how many residues; none draws lengths as frequent as in the data", minimum=2, maximum=1024
    )
    steps: int | None = setting(None, meaning="steps from noise to backbone; none takes 25", minimum=1, maximum=1000)
    solver: str = setting("unipc", meaning="how a step is taken", choices=SOLVER_NAMES)
    shift: float | None = setting(
        None,
        meaning="above 1: more of the steps near the noise; below 1: near the backbone; none takes 1",
        minimum=0.05,
        maximum=20.0,
    )
    guidance: float | None = setting(
        None,
        meaning="how strongly the class is insisted on; 1 is the model itself, 0 ignores it; none takes 1",
        minimum=0.0,
        maximum=20.0,
    )
    label: str | None = setting(
        None, meaning="name of the class to make; none draws classes as frequent as in the data"
    )
