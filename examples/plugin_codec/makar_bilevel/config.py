"""Settings of the codec for black-and-white pictures; imports no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class BilevelCodecConfig(CodecConfig):
    """Settings of the codec."""

    kind: ClassVar[str] = "bilevel"
    target: ClassVar[str] = "makar_bilevel.codec:BilevelCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    side: int = setting(16, meaning="height and width of every picture", unit="pixels", minimum=8, maximum=64)
    threshold: int = setting(128, meaning="the darkest grey that becomes white", minimum=1, maximum=255)
