"""A suffix array over one memory-mapped shard of words: the longest verbatim match at every position of a query.

Source: Manber & Myers 1993 (suffix arrays; binary search that keeps the longest common prefix with both borders); built with
divsufsort (Mori 2008). All positions of a query are searched at once: a step of the binary search is one gather of blocks of words,
so 500 words against 10 million take a fraction of a second without leaving numpy.

Files of a shard: ``NAME.words`` (uint16, padded with one block of separators), ``NAME.suffixes`` (int32).
"""

from pathlib import Path

import numpy as np
from pydivsufsort import divsufsort

from makar.data.mapped import release
from makar.data.store import write_arrays
from makar.novelty.words import SEPARATOR

BLOCK = 16
BREAK = -1
"""In a query: equal to nothing, so that no match crosses it; smaller than every word."""


def write_shard(path: Path, words: np.ndarray) -> None:
    """Sort the suffixes of ``words`` (uint16, documents ended by 0) and write both files of the shard at ``path``."""
    # Big-endian bytes sort like the numbers; every second suffix of the byte string starts a word.
    suffixes = divsufsort(words.astype(">u2").view(np.uint8))
    suffixes = suffixes[(suffixes & 1) == 0] >> 1
    padded = np.concatenate([words, np.full(BLOCK, SEPARATOR, np.uint16)])
    write_arrays(path.with_suffix(".words"), [padded.astype("<u2")])
    write_arrays(path.with_suffix(".suffixes"), [suffixes.astype("<i4")])


class SuffixShard:
    """A finished shard, opened for searching."""

    def __init__(self, path: Path) -> None:
        self.words: np.ndarray = np.memmap(path.with_suffix(".words"), "<u2", mode="r").view(np.ndarray)
        self.suffixes: np.ndarray = np.memmap(path.with_suffix(".suffixes"), "<i4", mode="r").view(np.ndarray)

    def release(self) -> None:
        """Give back the memory of what was searched."""
        release(self.words)
        release(self.suffixes)

    def longest_matches(self, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the longest match that starts at every position of a query.

        Args:
            query: Words as integers, int32 ``[length]``; ``BREAK`` (-1) ends a match.

        Returns:
            Length of the longest match in words and one place in the shard where it starts, both int64 ``[length]``.
        """
        length = len(query)
        padded = np.concatenate([query.astype(np.int32), np.full(BLOCK, BREAK, np.int32)])
        low = np.full(length, -1, np.int64)
        high = np.full(length, len(self.suffixes), np.int64)
        low_common = np.zeros(length, np.int64)
        high_common = np.zeros(length, np.int64)
        active = np.flatnonzero(query != BREAK)
        while len(active := active[high[active] - low[active] > 1]):
            middle = (low[active] + high[active]) >> 1
            starts = self.suffixes[middle].astype(np.int64)
            common = np.minimum(low_common[active], high_common[active])
            common = self._extend(padded, active, starts, common)
            below = self.words[starts + common] < padded[active + common]
            low[active[below]] = middle[below]
            low_common[active[below]] = common[below]
            high[active[~below]] = middle[~below]
            high_common[active[~below]] = common[~below]
        lower_is_longer = low_common >= high_common
        neighbour = np.where(lower_is_longer, low, high)
        places = self.suffixes[np.clip(neighbour, 0, max(len(self.suffixes) - 1, 0))].astype(np.int64)
        return np.maximum(low_common, high_common), places

    def _extend(self, padded: np.ndarray, places: np.ndarray, starts: np.ndarray, common: np.ndarray) -> np.ndarray:
        """Lengthen common prefixes block by block until query and shard differ; a separator in the shard differs always."""
        common = common.copy()
        steps = np.arange(BLOCK)
        open_ = np.arange(len(places))
        while len(open_):
            mine = padded[(places[open_] + common[open_])[:, None] + steps]
            theirs = self.words[(starts[open_] + common[open_])[:, None] + steps]
            differs = mine != theirs
            ended = differs.any(axis=1)
            common[open_] += np.where(ended, differs.argmax(axis=1), BLOCK)
            open_ = open_[~ended]
        return common
