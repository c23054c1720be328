"""Settings of what is sent to an endpoint; no torch. There are none: text is bytes, and a conversation is turns."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteTextCodecConfig(CodecConfig):
    """Text and turns as the bytes of UTF-8, for models whose own tokens nobody here sees."""

    kind: ClassVar[str] = "remote-text"
    target: ClassVar[str] = "makar.codecs.remote_text:RemoteTextCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")
