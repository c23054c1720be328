"""Settings of a codec that gives every image the vector of an earlier stage, or every sound its coarse tokens, as source of the next."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig, LearnedCodecConfig, WorkedThrough
from makar.codecs.image_config import ImageCodecConfig
from makar.config import setting
from makar.errors import ConfigError
from makar.tensor_spec import SOURCE, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddedCodecConfig(LearnedCodecConfig):
    """Settings of a codec of images with their vectors, or of sounds with coarser tokens."""

    kind: ClassVar[str] = "embedded"
    target: ClassVar[str] = "makar.codecs.embedded:EmbeddedCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    component: str = setting(
        "prior",
        meaning="name of the earlier stage that draws vectors or tokens; its codec makes those of images or sounds",
    )

    base: CodecConfig = setting(
        meaning="the codec of the content and its captions", factory=lambda: ImageCodecConfig(use_captions=True)
    )

    def spec_over(self, below: TensorSpec, worked_through: WorkedThrough) -> TensorSpec:
        """Return what the codec makes: what the base makes, and the vector or the tokens as source.

        Raises:
            ConfigError: The component makes neither vectors nor rows of tokens, or the base makes sources of its own.
        """
        drawn = worked_through.accepts()[TARGET]
        is_rows = drawn.kind == "tokens" and drawn.axes == ("codebooks", "frames")
        if not is_rows and (drawn.kind != "values" or drawn.sizes[1:] != (1, 1)):
            raise ConfigError(
                f'"{self.component}" makes {drawn.kind} of {list(drawn.sizes)}',
                expected="vectors: values of so many channels, 1 and 1; or rows of tokens, one a codebook",
            )
        if SOURCE in below:
            raise ConfigError(
                f'the codec below "{self.kind}" makes a source of its own', expected="a codec without a source"
            )
        # Latents of whatever range are handed on as -1 to 1.
        source = drawn if is_rows else Slot(kind="values", axes=drawn.axes, sizes=drawn.sizes)
        return TensorSpec({**below.slots, SOURCE: source})
