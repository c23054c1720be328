"""Beam search: the likeliest text is looked for by going on with the few likeliest beginnings.

A candidate that ends counts as finished when it is among as many candidates as there are beginnings. Finished texts are compared by
log-probability over length to a power (Wu et al. 2016, arXiv 1609.08144, section 7, without the constants). The search of a text is over
when as many texts have ended as beginnings are kept and the likeliest beginning would not win if it ended here.
"""

import dataclasses
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from makar.tensor_spec import END_TOKEN

NEVER = float("-inf")

Reshape = Callable[[Tensor, Sequence[int]], Tensor]
"""From logits and the tokens so far to logits."""


@dataclasses.dataclass
class Search:
    """The search of one text.

    Attributes:
        kept: Beginnings that are kept.
        length_penalty: Power of the length in the score.
        limit: Longest text, in tokens, without its end.
    """

    kept: int
    length_penalty: float
    limit: int

    def __post_init__(self) -> None:
        self.beginnings: list[list[int]] = [[] for _ in range(self.kept)]
        # All beginnings are one at first.
        self.sums: list[float] = [0.0] + [NEVER] * (self.kept - 1)
        self._finished: list[tuple[float, list[int]]] = []

    def take(self, sums: Sequence[float], rows: Sequence[int], tokens: Sequence[int]) -> list[int]:
        """Take the candidates of a step, the likeliest first, and return the row that each beginning goes on from.

        Args:
            sums: Log-probabilities, twice as many as beginnings are kept.
            rows: The beginning that each goes on from.
            tokens: The token that each adds.
        """
        chosen: list[tuple[float, int, int]] = []
        for rank, (total, row, token) in enumerate(zip(sums, rows, tokens)):
            if total == NEVER:
                continue
            if token == END_TOKEN:
                if rank < self.kept:
                    self._finish(total, self.beginnings[row])
            elif len(chosen) < self.kept:
                chosen.append((total, row, token))
        while len(chosen) < self.kept:
            chosen.append((NEVER, 0, END_TOKEN))
        self.beginnings = [[*self.beginnings[row], token] for _, row, token in chosen]
        self.sums = [total for total, _, _ in chosen]
        return [row for _, row, _ in chosen]

    @property
    def is_over(self) -> bool:
        """Whether nothing can win that is not finished."""
        length = len(self.beginnings[0])
        if length >= self.limit or self.sums[0] == NEVER:
            return True
        if len(self._finished) < self.kept:
            return False
        return self._finished[-1][0] >= self.sums[0] / length**self.length_penalty

    def best(self) -> list[int]:
        """Return the tokens of the best text, without its end; one that the limit cut short competes with those that ended."""
        for total, beginning in zip(self.sums, self.beginnings):
            if total > NEVER and len(beginning) >= self.limit:
                self._finish(total, beginning)
        return self._finished[0][1] if self._finished else self.beginnings[0]

    def _finish(self, total: float, tokens: list[int]) -> None:
        # The end is a token that was paid for.
        score = total / (len(tokens) + 1) ** self.length_penalty
        self._finished.append((score, tokens))
        self._finished.sort(key=lambda found: -found[0])
        del self._finished[self.kept :]


def candidates(
    logits: Float[Tensor, "rows vocabulary"], searches: Sequence[Search], reshape: Reshape | None
) -> list[tuple[list[float], list[int], list[int]]]:
    """Return the likeliest ways to go on with each text: log-probabilities, rows of its beginnings, tokens.

    Args:
        logits: As many rows a text as beginnings are kept.
        searches: One a text.
        reshape: What the options ask for; ``None`` for nothing.
    """
    if reshape is not None:
        histories = [beginning for search in searches for beginning in search.beginnings]
        logits = torch.stack([reshape(row, history) for row, history in zip(logits, histories)])
    kept, vocabulary = searches[0].kept, logits.shape[1]
    sums = torch.tensor([search.sums for search in searches], device=logits.device)
    totals = logits.log_softmax(-1).view(len(searches), kept, vocabulary) + sums[:, :, None]
    found = totals.flatten(1).topk(min(2 * kept, kept * vocabulary), dim=1)
    rows, tokens = found.indices // vocabulary, found.indices % vocabulary
    return list(zip(found.values.tolist(), rows.tolist(), tokens.tolist(), strict=True))
