"""A constraint that knows the shape of what is to be written: at every place one of a few tokens, and nothing else."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.families.logits_hook import LogitsHook


class Following:
    """A constraint that leaves, at every place, the tokens that may stand there.

    Args:
        places: For every token that is drawn the tokens that may be.
        given: Tokens of the prompt, which are not drawn.
    """

    says_all = follows = True

    def __init__(self, places: Sequence[Sequence[int]], *, given: int) -> None:
        self._places = places
        self._given = given

    def begin(self) -> LogitsHook:
        """Return the hook of one piece."""
        return Following(self._places, given=self._given)

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        """Rule out what may not stand at the next place."""
        kept = torch.full_like(logits, float("-inf"))
        may = list(self._places[len(history) - self._given])
        kept[may] = logits[may]
        return kept
