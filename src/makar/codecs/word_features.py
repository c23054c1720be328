"""What can be seen of a word and its neighbours without having learned anything: form, beginnings, endings, shape; as hashed numbers.

The classical features of a tagger (Ratnaparkhi 1996; Nadeau and Sekine 2007): the word as it is and in lower case, its first and last one
to four letters, its shape (``Xx``, ``d``), the same of its neighbours, and pairs. Every feature is a number below ``ROWS``; two may
share one.
"""

import functools
import re
import zlib
from collections.abc import Sequence

import numpy as np

ROWS = 1 << 18
AFFIXES = 4
OWN = 3 + 2 * AFFIXES
"""Word, lower case, shape, beginnings and endings."""

_NEIGHBOURS = (
    (-1, 1),
    (-1, 2),
    (-1, 2 + 2 * AFFIXES - 1),
    (1, 1),
    (1, 2),
    (1, 2 + 2 * AFFIXES - 1),
    (-2, 1),
    (2, 1),
    (-2, 2),
    (2, 2),
)
"""Offset of a neighbour, and which of its own features counts."""

FEATURES = OWN + len(_NEIGHBOURS) + 3
ALONE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters of Chinese and Japanese, which are written without spaces."""

LETTER = rf"[^\W{ALONE}]"
"""A letter or digit of a word of several."""

_WORD = re.compile(rf"[{ALONE}]|{LETTER}+(?:[-'’]{LETTER}+)*|[^\w\s]")


def words_of(text: str) -> list[tuple[int, int]]:
    """Return where the words and marks of a text begin and end; letters of Chinese and Japanese are words of their own.

    >>> [text[start:end] for text in ["Ada's cat, (1815)"] for start, end in words_of(text)]
    ["Ada's", 'cat', ',', '(', '1815', ')']
    """
    return [match.span() for match in _WORD.finditer(text)]


def shape_of(word: str) -> str:
    """Return the shape of a word: runs of capitals, small letters, digits and others as one letter each.

    >>> shape_of("McDonald-2000")
    'XxXx-d'
    """
    marks = (
        "X" if letter.isupper() else "x" if letter.isalpha() else "d" if letter.isdigit() else letter for letter in word
    )
    kept: list[str] = []
    for mark in marks:
        if not kept or kept[-1] != mark:
            kept.append(mark)
    return "".join(kept[:10])


def features_of(words: Sequence[str]) -> np.ndarray:
    """Return the features of every word, uint32 ``[words, FEATURES]``, each from 1 to ``ROWS`` - 1."""
    own = np.stack([_own(word) for word in ("", "", *words, "", "")]).astype(np.uint64)
    count = len(words)
    here = own[2 : 2 + count]
    columns = [here[:, index] for index in range(OWN)]
    for number, (offset, index) in enumerate(_NEIGHBOURS):
        columns.append(_mixed(own[2 + offset : 2 + offset + count, index], 101 + number))
    before, after = own[1 : 1 + count, 1], own[3 : 3 + count, 1]
    columns.append(_mixed(before * np.uint64(31) + here[:, 1], 201))
    columns.append(_mixed(here[:, 1] * np.uint64(31) + after, 202))
    columns.append(
        _mixed(own[1 : 1 + count, 2] * np.uint64(961) + here[:, 2] * np.uint64(31) + own[3 : 3 + count, 2], 203)
    )
    return np.asarray(1 + np.stack(columns, 1) % np.uint64(ROWS - 1)).astype(np.uint32)


def _mixed(values: np.ndarray, salt: int) -> np.ndarray:
    mixed = (values + np.uint64(salt)) * np.uint64(0x9E3779B1) & np.uint64(0xFFFFFFFF)
    return np.asarray((mixed ^ (mixed >> np.uint64(15))) * np.uint64(0x85EBCA6B) & np.uint64(0xFFFFFFFF))


@functools.lru_cache(maxsize=1 << 17)
def _own(word: str) -> np.ndarray:
    lower = word.lower()
    texts = [f"w{word}", f"l{lower}", f"s{shape_of(word)}"]
    texts += [f"b{size}{lower[:size]}" for size in range(1, AFFIXES + 1)]
    texts += [f"e{size}{lower[-size:]}" for size in range(1, AFFIXES + 1)]
    return np.array([zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in texts], np.uint32)
