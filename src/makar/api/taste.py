"""What somebody likes, in Python: assets in the order in which one person, or all, would like them by what was learned of them.

from makar.api import taste
best = taste.ranked(model.generate(count=8), rater="ann")[0]
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
        UnsupportedError: Nothing of this medium has features.
    """
    table = FeedbackTable()
    # What was judged is looked at one by one: ten thousand pictures need not be held at once.
    return learn_taste(
        table.rows(Wanted(consent=True)),
        medium=medium,
        rater="" if rater == EVERYBODY else rater,
        shown=lambda item: table.content(item.hash),
    )


def ranked(assets: "Sequence[Asset]", *, rater: str) -> "list[Asset]":
    """Return assets in the order in which one person, or ``"all"``, would like them, the best first; see ``taste_of``."""
    return in_order(assets, taste_of(rater, medium=assets[0].medium)) if assets else []


def in_order(assets: "Sequence[Asset]", taste: Taste) -> "list[Asset]":
    """Return assets of one medium in the order of a taste that was learned before, the best first."""
    from makar.api.feedback import read_item

    rewards = taste.rewards([read_item(asset) for asset in assets]).tolist()
    order = sorted(range(len(rewards)), key=lambda number: (-rewards[number], number))
    return [assets[number] for number in order]
