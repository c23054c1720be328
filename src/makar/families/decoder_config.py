"""What the settings of every network that continues text have in common, ours and those of others; no torch.

What is learned over such a network (answers, preferences, rewards) asks for no more than this, so it is written once for both kinds.
"""

import abc
from typing import Self

from makar.families.adapter_config import AdapterConfig
from makar.families.family_config import FamilyConfig


class DecoderConfig(FamilyConfig, abc.ABC):
    """A network that predicts each token from those before it.

    Attributes:
        vocabulary: Tokens that it has rows for.
        context: Positions that it looks back on.
        width: Numbers of its stream at a position.
        adapter: What is learned instead of the weights; ``None`` learns them.
    """

    vocabulary: int
    context: int
    width: int
    adapter: AdapterConfig | None

    @abc.abstractmethod
    def seen_at(self, usual: int) -> Self:
        """Return a copy for estimates of rows that usually have so many tokens."""

    @abc.abstractmethod
    def judging(self) -> Self:
        """Return a copy without an output layer of its own, which a judge of answers does not use."""

    @property
    def steps_back(self) -> bool:
        """Whether it computes what it was before it learned, so that the model before need not lie beside it."""
        return False
