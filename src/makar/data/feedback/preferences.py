"""What judgements say of two answers to one prompt, and of one thing alone: pairs to learn from, and shares from 0 to 1.

Of an order comes every pair of different places. Thumbs and stars become pairs where one person judged several answers to one prompt
differently; what different people mean by four stars is not compared. Where somebody says today the contrary of what the same somebody said
before, the later word counts.
"""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from makar.data.feedback.judgement import ORDERS, RANGES, RATES, Judged, Judgement, Turns

EVEN = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """One thing that somebody likes better than another one.

    Attributes:
        prompt: What both were made for.
        chosen: The better one.
        rejected: The other one.
        rater: Who says so.
        judgement: Id of what was said, of the later one where there are two.
    """

    prompt: Turns
    chosen: Judged
    rejected: Judged
    rater: str
    judgement: str


def preferences(judgements: Iterable[Judgement]) -> list[Preference]:
    """Return every pair of which one is preferred, in the order of the judgements."""
    found: dict[tuple[str, str, frozenset[str]], Preference] = {}
    rated: dict[tuple[str, str, str], dict[str, tuple[Judgement, int]]] = defaultdict(dict)

    def prefer(judgement: Judgement, chosen: Judged, rejected: Judged) -> None:
        key = (judgement.rater, str(judgement.prompt), frozenset((chosen.hash, rejected.hash)))
        if chosen.hash != rejected.hash:
            found.pop(key, None)
            found[key] = Preference(
                prompt=judgement.prompt, chosen=chosen, rejected=rejected, rater=judgement.rater, judgement=judgement.id
            )

    for judgement in judgements:
        if judgement.kind in ORDERS:
            for (first, one), (second, other) in itertools.combinations(zip(judgement.value, judgement.items), 2):
                if first != second:
                    prefer(judgement, *((one, other) if first < second else (other, one)))
            continue
        (item,), (value,) = judgement.items, judgement.value
        others = rated[judgement.rater, judgement.kind, str(judgement.prompt)]
        others.pop(item.hash, None)
        for said, number in others.values():
            if number != value:
                (before,) = said.items
                prefer(judgement, *((item, before) if value > number else (before, item)))
        others[item.hash] = (judgement, value)
    return list(found.values())


def share_of(judgement: Judgement) -> float:
    """Return a thumb or stars as a share from 0 to 1."""
    assert judgement.kind in RATES, "an order says nothing of one thing alone"
    low, high = RANGES[judgement.kind]
    return (judgement.value[0] - low) / (high - low)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Liked:
    """How much one thing is liked.

    Attributes:
        item: The thing.
        prompt: What it was made for.
        share: 0 to 1; one half is what nobody has an opinion of.
        judgements: How many it was in.
    """

    item: Judged
    prompt: Turns
    share: float
    judgements: int


def liked(judgements: Sequence[Judgement]) -> list[Liked]:
    """Return how much each thing is liked, by everything that was said of it, in the order in which they came first.

    Of thumbs and stars the share; of an order the share of the others that it stands before, ties half. The mean is drawn to one half as
    by one more judgement that says nothing, so that one thumb is less than five.
    """
    said: dict[str, list[float]] = defaultdict(list)
    things: dict[str, tuple[Judged, Turns]] = {}
    for judgement in judgements:
        for place, item in enumerate(judgement.items):
            things.setdefault(item.hash, (item, judgement.prompt))
            if judgement.kind in RATES:
                said[item.hash].append(share_of(judgement))
            else:
                own = judgement.value[place]
                beaten = [EVEN if own == other else float(own < other) for other in judgement.value]
                said[item.hash].append((sum(beaten) - EVEN) / (len(beaten) - 1))
    return [
        Liked(
            item=item,
            prompt=prompt,
            share=(sum(said[hash_]) + EVEN) / (len(said[hash_]) + 1),
            judgements=len(said[hash_]),
        )
        for hash_, (item, prompt) in things.items()
    ]
