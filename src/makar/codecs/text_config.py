"""Settings of the text codecs (bytes, characters, byte-level pairs) and the rule that chooses between them by size of the data.

A small vocabulary suits small data and small models: every token is then seen often enough to be learned, and the output layer
stays cheap. Characters below a few megabytes; above, byte-level pairs with 1,024 to 8,192 tokens (with 4,096 tokens children's
stories take as many tokens as with a general vocabulary of 32,000: Karpathy 2023, llama2.c). Bytes serve anything that is not prose.

Code is cut into words by the pattern of Qwen2, under which a token never reaches beyond the end of a line, so that a hole of whole lines
begins and ends between tokens; and it has three tokens that say where a hole is (Bavarian et al. 2022, arXiv 2207.14255), under the names
that Qwen2.5-Coder and llama.cpp know.
"""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting

MEGABYTE = 1_000_000

INFILL_NAMES = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
END_TOKEN, INFILL_TOKENS = 0, (1, 2, 3)
"""Of byte-level pairs: special tokens come first."""

LEAST_VOCABULARY = 256 + 1 + len(INFILL_NAMES)
"""Of pairs of bytes: the 256 bytes, the end of a text, and the three marks of holes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByteCodecConfig(CodecConfig):
    """One token a byte of UTF-8: nothing is learned and nothing is ever unknown."""

    kind: ClassVar[str] = "byte"
    target: ClassVar[str] = "makar.codecs.text:TextCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CharacterCodecConfig(CodecConfig):
    """One token a character of the training text, the most frequent first; rarer and unseen ones are spelled as their bytes."""

    kind: ClassVar[str] = "character"
    target: ClassVar[str] = "makar.codecs.text:TextCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")

    largest_alphabet: int = setting(
        4096, meaning="characters with a token of their own, most frequent first", minimum=1, maximum=1_000_000
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BpeCodecConfig(CodecConfig):
    """Byte-level byte-pair encoding: frequent sequences of bytes are one token, and nothing is ever unknown."""

    kind: ClassVar[str] = "bpe"
    target: ClassVar[str] = "makar.codecs.text:TextCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")

    vocabulary_size: int = setting(
        4096,
        meaning="tokens, the 256 bytes and those that are no text included",
        minimum=LEAST_VOCABULARY,
        maximum=1_000_000,
    )
    sample_bytes: int = setting(
        20 * MEGABYTE, meaning="how much text the pairs are counted on", unit="bytes", minimum=1
    )
    pattern: str = setting("gpt2", meaning="whose pattern cuts words, which no pair crosses", choices=("gpt2", "qwen2"))
    infill: bool = setting(False, meaning="whether there are tokens for what is before, after and in a hole")


def choose_text_codec(total_bytes: int, medium: str) -> CodecConfig:
    """Return the codec that suits this much training text.

    Args:
        total_bytes: Size of the training text.
        medium: ``"text"`` or ``"code"``.

    >>> choose_text_codec(1_000_000, "text").kind
    'character'
    >>> choose_text_codec(5_000_000_000, "text").vocabulary_size
    8192
    """
    if total_bytes < 2 * MEGABYTE:
        # Code repeats long identifiers and indents with runs of spaces, so pairs pay earlier than in prose.
        return code_codec(1024) if medium == "code" else CharacterCodecConfig()
    sizes = ((20 * MEGABYTE, 1024), (100 * MEGABYTE, 2048), (1000 * MEGABYTE, 4096))
    size = next((size for limit, size in sizes if total_bytes < limit), 8192)
    return code_codec(size) if medium == "code" else BpeCodecConfig(vocabulary_size=size)


def code_codec(vocabulary_size: int) -> BpeCodecConfig:
    """Return the codec of code: lines end between tokens, and holes can be filled."""
    return BpeCodecConfig(vocabulary_size=vocabulary_size, pattern="qwen2", infill=True)
