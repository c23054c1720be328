"""Cuts text into words and marks, each hashed to 16 bits, so that a verbatim span means the same for every codec.

A model may work on bytes, characters or sub-words; "13 tokens copied" would then mean two words for one and ten for another. Spans
are therefore counted in words: a run of letters and digits, a single mark, or a single sign of a script that is written without
spaces. Case, kind of quotation mark and white space are not compared: a copy in capitals is a copy.

A word is a 16-bit hash (CRC-32 folded), never 0, which ends documents. Two different words collide once in 65,535, so a false span
of 13 words is impossible in practice, and the suffix array is half as large as with 32 bits.
"""

import re
import zlib

import numpy as np

SEPARATOR = 0
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
PATTERN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")
QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
KNOWN_LIMIT = 1 << 20


class WordHasher:
    """Turns text into hashed words and remembers the words it has seen, because most come again."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> np.ndarray:
        """Return the hashed words of a text, uint16 ``[words]``, each 1 to 65,535."""
        known = self._known
        found = PATTERN.findall(text.translate(QUOTES).casefold())
        if len(known) > KNOWN_LIMIT:
            known.clear()
        for word in set(found).difference(known):
            known[word] = _hash(word)
        return np.fromiter((known[word] for word in found), np.uint16, len(found))


def word_ends(text: str) -> list[tuple[int, int]]:
    """Return start and end of every word as positions in the text that is given.

    The words are those of ``WordHasher`` unless case folding changes the number of characters, which is why a span that is shown
    to a reader is cut with these and a span that is measured is not.
    """
    return [match.span() for match in PATTERN.finditer(text.translate(QUOTES))]


def _hash(word: str) -> int:
    value = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    return (value ^ (value >> 16)) % 65535 + 1
