"""Novelty of a model that began from others: what it makes is compared with its own data and with theirs, as far as that is here.

Each index has its own limit, so what counts is the finding that weighs most: a copy before what is none, then the lower score.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from makar.novelty.index import NoveltyIndex
from makar.novelty.novelty import Novelty


class LineageIndex:
    """The index of a model and those of the models behind it.

    Args:
        own: Index of its own data.
        behind: Indexes of the data of the models that it began from or is compared with, as far as they are on this machine.
        uncovered: Which models' data cannot be compared with, in words; empty when all can.
    """

    def __init__(
        self, own: "NoveltyIndex | LineageIndex", behind: Sequence["NoveltyIndex | LineageIndex"], *, uncovered: str
    ) -> None:
        self.own = own
        self._indexes = (own, *behind)
        self._uncovered = uncovered

    def check(self, content: Any) -> Novelty:
        """Return how new one asset is, compared with all data that is here.

        Args:
            content: ``str`` for text and code; uint8 ``[height, width, channels]`` for images.
        """
        found = [index.check(content) for index in self._indexes]
        heaviest = min(found, key=lambda finding: (not finding.is_copy, finding.score))
        return dataclasses.replace(heaviest, uncovered=self._uncovered)
