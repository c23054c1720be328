"""Settings of a codec that gives every image the vector of an earlier stage beside its pixels, as source of the stage after it."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig, LearnedCodecConfig, WorkedThrough
from makar.codecs.image_config import ImageCodecConfig
from makar.config import setting
from makar.errors import ConfigError
from makar.tensor_spec import SOURCE, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddedCodecConfig(LearnedCodecConfig):
    """Settings of a codec of images with their vectors."""

    kind: ClassVar[str] = "embedded"
    target: ClassVar[str] = "makar.codecs.embedded:EmbeddedCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    component: str = setting(
        "prior", meaning="name of the earlier stage that makes vectors of captions; its codec makes those of images"
    )

    base: CodecConfig = setting(
        meaning="the codec of the images and their captions", factory=lambda: ImageCodecConfig(use_captions=True)
    )

    def spec_over(self, below: TensorSpec, worked_through: WorkedThrough) -> TensorSpec:
        """Return what the codec makes: what the base makes, and the vector as source.

        Raises:
            ConfigError: The component makes no vectors, or the base makes sources of its own.
        """
        vector = worked_through.accepts()[TARGET]
        if vector.kind != "values" or vector.sizes[1:] != (1, 1):
            raise ConfigError(
                f'"{self.component}" makes {vector.kind} of {list(vector.sizes)}',
                expected="vectors: values of so many channels, 1 and 1",
            )
        if SOURCE in below:
            raise ConfigError(
                f'the codec below "{self.kind}" makes a source of its own', expected="a codec without a source"
            )
        # Latents of whatever range are handed on as -1 to 1.
        return TensorSpec({**below.slots, SOURCE: Slot(kind="values", axes=vector.axes, sizes=vector.sizes)})
