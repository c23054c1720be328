"""Settings of the codec of pairs of texts, one of which is made from the other: translations, summaries, answers; no torch.

A joint vocabulary of byte-level pairs serves both sides, so that names and numbers can be copied token for token, and the vectors of the
tokens are learned from both (Sennrich et al. 2016, arXiv 1508.07909, section 3.2). Its size follows that of the text.
"""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.text_config import MEGABYTE
from makar.config import setting

SPANS = "spans"
"""What is learned where there are no pairs: a text as one stream, of which spans are to be filled in."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairCodecConfig(CodecConfig):
    """Two texts, or a text as a stream, in one vocabulary."""

    kind: ClassVar[str] = "text-pair"
    target: ClassVar[str] = "makar.codecs.pair:PairCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")

    task: str = setting(
        "rewrite",
        meaning="what is learned: a text from another, an answer from question and passage, or spans that were taken out",
        choices=("rewrite", "answer", SPANS),
    )
    vocabulary_size: int = setting(
        8192, meaning="tokens, those of bytes and the reserved ones included", minimum=259, maximum=1_000_000
    )
    sample_bytes: int = setting(
        20 * MEGABYTE, meaning="how much text the pairs of bytes are counted on", unit="bytes", minimum=1
    )
    longest_source: int = setting(
        512, meaning="tokens of a source, its end included; the rest of a longer one is cut off", minimum=2
    )
    longest_target: int = setting(
        256, meaning="tokens of a target, its end included; the rest of a longer one is cut off", minimum=2
    )
    marks: int = setting(0, meaning="reserved tokens that stand for a span that was taken out", minimum=0, maximum=1000)

    @property
    def needed_task(self) -> str | None:
        """The task that records must be labelled for; ``None`` where any text will do."""
        return None if self.task == SPANS else self.task


def choose_pair_codec(total_bytes: int, codec: PairCodecConfig) -> PairCodecConfig:
    """Return the codec with the vocabulary that suits this much training text.

    Args:
        total_bytes: Size of the training text, both sides together.
        codec: Its other settings.

    >>> choose_pair_codec(4_000_000, PairCodecConfig()).vocabulary_size
    8192
    """
    for limit, size in ((300_000, 1024), (1_000_000, 2048), (3_000_000, 4096)):
        if total_bytes < limit:
            return codec.changed(vocabulary_size=size)
    return codec.changed(vocabulary_size=8192)
