"""Picks sentences by their scores, one after the other; what is like the ones before loses. They are given in the order of the text.

Source: maximal marginal relevance (Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking for reordering documents and
producing summaries"), with the sum over what was picked instead of the largest, and scores in units of their standard deviation, so that
one setting suits scores of any scale. Turns of a conversation differ in length more than sentences do, and the longest are seldom the
best to give: where no number of words is given, no more than a fifth above that of so many usual turns is taken.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from makar.codecs.sentence_features import SentenceVectors
from makar.families.extractive.options import ExtractiveOptions

ROOM = 1.2
"""Words of a summary of turns at most, in those of as many usual turns (docs/log.md, 2026-11-29)."""


def pick(
    scores: Float[np.ndarray, " sentences"],
    vectors: SentenceVectors,
    *,
    lengths: Sequence[int],
    options: ExtractiveOptions,
    are_turns: bool = False,
) -> list[int]:
    """Return the numbers of the sentences to give, in their order.

    Args:
        scores: Of each sentence, higher is better.
        vectors: Their words.
        lengths: Words of each.
        options: How many, how long, how different.
        are_turns: Whether they are turns of a conversation.
    """
    left = scores.astype(np.float64)
    spread = float(left.std())
    left = (left - left.mean()) / spread if spread > 0 else np.zeros_like(left)
    picked: list[int] = []
    words = 0
    usual = round(ROOM * options.sentences * float(np.mean(lengths))) if are_turns else 0
    most = options.words or usual
    while len(picked) < options.sentences and np.isfinite(left).any():
        number = int(left.argmax())
        left[number] = -np.inf
        # The best one is given even where it is too long alone: an empty summary helps nobody.
        if most and picked and words + lengths[number] > most:
            continue
        picked.append(number)
        words += lengths[number]
        if options.diversity:
            left -= options.diversity * vectors.likeness(number)
    return sorted(picked)
