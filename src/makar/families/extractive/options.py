"""The controls of a model that picks sentences, without torch: how many, how long together, and how different."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractiveOptions(Config):
    """How sentences are picked. They are given in the order in which they stand in the text."""

    kind: ClassVar[str] = "extractive_options"

    sentences: int = setting(3, meaning="sentences, or turns of a conversation, to pick at most", minimum=1)
    words: int = setting(
        0,
        meaning="words at most, but for the best sentence; 0 is no limit, and of turns a fifth more than so many usual ones",
        minimum=0,
    )
    diversity: float = setting(
        1.5,
        meaning="how much a sentence loses that says what was picked before, in standard deviations of the scores",
        minimum=0.0,
        maximum=100.0,
    )
