"""Settings of codecs whose examples may have a class and a caption; no torch."""

import abc
import dataclasses

from makar.codecs.codec import CodecConfig
from makar.codecs.text_config import LEAST_VOCABULARY
from makar.config import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaptionedConfig(CodecConfig, abc.ABC):
    """What is learned of the words beside an example."""

    use_labels: bool = setting(False, meaning="learn the class of every example, so that one can be asked for")
    use_captions: bool = setting(False, meaning="learn what captions say, so that what is made can be described")
    caption_length: int = setting(
        32,
        meaning="tokens of a caption; what is longer is cut off in training and refused as a prompt",
        minimum=1,
        maximum=512,
    )
    caption_vocabulary: int = setting(
        2048,
        meaning="different caption tokens at most, the 256 bytes included",
        minimum=LEAST_VOCABULARY,
        maximum=100_000,
    )
