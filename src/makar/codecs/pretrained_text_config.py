"""Settings of a tokenizer that came with somebody else's checkpoint; no torch and no tokenizer."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedTextCodecConfig(CodecConfig):
    """A tokenizer of others: nothing is learned, its files come from the checkpoint."""

    kind: ClassVar[str] = "checkpoint-tokens"
    target: ClassVar[str] = "makar.codecs.pretrained_text:PretrainedTextCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")

    vocabulary: int = setting(
        0, meaning="tokens that the network has rows for; 0 takes those of the tokenizer", unit="tokens", minimum=0
    )
