"""Settings of the codec of proteins; no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProteinCodecConfig(CodecConfig):
    """Proteins as letters: an amino acid is one token."""

    kind: ClassVar[str] = "protein"
    target: ClassVar[str] = "makar.codecs.protein:ProteinCodec"
    media: ClassVar[tuple[str, ...]] = ("protein",)
