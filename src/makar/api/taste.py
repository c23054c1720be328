"""What somebody likes, in Python: assets in the order in which one person, or all, would like them by what was learned of them.

from makar.api import taste
best = taste.ranked(model.generate(count=8), rater="ann")[0]
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from makar.data.feedback.judgement import Judged
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.data.feedback.taste import Taste, learn_taste

if TYPE_CHECKING:
    from makar.generation.asset import Asset

EVERYBODY = "all"


def taste_of(rater: str, *, medium: str) -> Taste:
    """Return what one person likes, or ``"all"``.

    Raises:
        EmptyDataError: Nothing that was said tells two things apart.
        UnknownNameError: That person said nothing of this medium.
    """
    said = FeedbackTable().rows(Wanted(consent=True), content=True)
    return learn_taste(said, medium=medium, rater="" if rater == EVERYBODY else rater)


def rewards(assets: "Sequence[Asset]", *, rater: str) -> list[float]:
    """Return how much each asset would be liked, in nats; only differences mean something."""
    from makar.api.feedback import read_item

    if not assets:
        return []
    items: list[Judged] = [read_item(asset) for asset in assets]
    return [float(value) for value in taste_of(rater, medium=assets[0].medium).rewards(items)]


def ranked(assets: "Sequence[Asset]", *, rater: str) -> "list[Asset]":
    """Return assets in the order in which one person, or ``"all"``, would like them, the best first."""
    found = rewards(assets, rater=rater)
    order = sorted(range(len(found)), key=lambda number: (-found[number], number))
    return [assets[number] for number in order]
