"""Settings of a learned codec: the codec of the content below it, and the stage whose trained family turns that into latents or tokens.

A recipe names an earlier stage in ``component``; that stage's family says in its configuration what it makes (``latents``: a slot of
values or of tokens) and offers ``encode`` and ``decode``. What it makes depends on sizes alone, so plans need no weights.
"""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig, LearnedCodecConfig, WorkedThrough
from makar.codecs.image_config import ImageCodecConfig
from makar.config import setting
from makar.errors import ConfigError
from makar.tensor_spec import TARGET, Slot, TensorSpec

LARGEST_DEVIATIONS = 6.0
"""Latents further from the mean than this many deviations are cut off: about one value in a billion of a normal distribution."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentCodecConfig(LearnedCodecConfig):
    """Settings of a learned codec."""

    kind: ClassVar[str] = "latent"
    target: ClassVar[str] = "makar.codecs.latent:LatentCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    component: str = setting(
        "autoencoder", meaning="name of the earlier stage whose trained family encodes and decodes"
    )
    base: CodecConfig = setting(meaning="the codec of the content that is encoded", factory=ImageCodecConfig)
    deviation: float = setting(
        0.5,
        meaning="standard deviation of every channel of the latents after they are scaled, as the later stage sees them",
        minimum=0.01,
        maximum=10.0,
    )

    def spec_over(self, below: TensorSpec, worked_through: WorkedThrough) -> TensorSpec:
        """Return what the codec makes: the latents as target, and every other slot of the base as it is.

        Raises:
            ConfigError: The component encodes nothing, or other images than the base makes.
        """
        latents = worked_through.latents()
        if latents is None:
            raise ConfigError(
                f'stage "{self.component}" encodes nothing',
                expected="a family with encode as the component of a learned codec",
            )
        made, wanted = below[TARGET].sizes, worked_through.accepts()[TARGET].sizes
        if made != wanted:
            raise ConfigError(
                f'"{self.component}" learns images of {list(wanted)}, the codec below "{self.kind}" makes {list(made)}',
                expected="the same channels, height and width in both stages",
                do="change the codec of both stages alike",
            )
        return latent_spec(self, below, latents)


def latent_spec(config: LatentCodecConfig, base: TensorSpec, latents: Slot) -> TensorSpec:
    """Return what the codec makes: the latents as target, and every other slot of the base (class, caption) as it is.

    Args:
        config: The codec's settings.
        base: What the codec below makes.
        latents: What the component's family makes of one example.
    """
    if latents.kind == "values":
        largest = LARGEST_DEVIATIONS * config.deviation
        latents = dataclasses.replace(latents, minimum=-largest, maximum=largest)
    return TensorSpec({**base.slots, TARGET: latents})
