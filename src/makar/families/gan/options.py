"""The controls of the adversarial image models; no torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class DcganOptions(Config):
    """How a DCGAN makes an image."""

    kind: ClassVar[str] = ""

    label: str | None = setting(
        None, meaning="name of the class to make; none draws classes as frequent as in the data"
    )
    towards_seed: int | None = setting(
        None, meaning="another seed, to make what lies between its image and the own", minimum=0
    )
    towards: float | None = setting(
        None,
        meaning="how far towards the other seed: 0 is the own image, 1 the other's; none is half-way",
        minimum=0.0,
        maximum=1.0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleganOptions(DcganOptions):
    """How a StyleGAN makes an image."""

    truncation_psi: float = setting(
        1.0,
        meaning="distance of the style from the mean style; below 1 more typical and less varied, 0 the mean itself",
        minimum=0.0,
        maximum=2.0,
    )
    mix_seed: int | None = setting(None, meaning="another seed, whose style the finer layers take", minimum=0)
    mix_from: int | None = setting(
        None,
        meaning="first layer that takes the other seed's style; low mixes shape, high mixes colour; none is the third",
        minimum=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2pixOptions(Config):
    """How a model of pairs translates: there is one way, and nothing to choose."""

    kind: ClassVar[str] = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleganOptions(Config):
    """How a model of two domains translates."""

    kind: ClassVar[str] = ""

    direction: str | None = setting(
        None, meaning="name of the domain to translate into, a label of the data; none is the second by name"
    )
