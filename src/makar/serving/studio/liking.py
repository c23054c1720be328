"""What people like of the library: assets by what was said of them, and in the order in which somebody would like them.

The order is that of ``makar.api.taste``, over the newest assets that fit the filters; what has no features, such as outlines, comes last. A
taste is learned again only after something was said, and an asset is looked at once, because a gallery is opened often.
"""

import dataclasses
import functools
import json
import math
from typing import Any

import numpy as np

from makar.api.feedback import signed_item
from makar.api.taste import taste_of
from makar.data.feedback.preferences import EVEN, liked
from makar.data.feedback.table import FeedbackTable
from makar.data.feedback.taste import Taste, features
from makar.data.structure_writer import TYPES as STRUCTURE_TYPES
from makar.errors import IntegrityError, UsageError
from makar.generation.library import Library, Wanted

GOOD, POOR, UNRATED = "good", "poor", "unrated"
LOOKED_AT = 512


def by_rating(wanted: Wanted, rating: str) -> Wanted:
    """Narrow what is wanted to what people found good or poor, or said nothing of.

    Raises:
        UsageError: There is no such rating.
    """
    if rating not in (GOOD, POOR, UNRATED):
        raise UsageError(f"the rating {rating[:40]!a}", expected=f"{GOOD}, {POOR} or {UNRATED}")
    shares = {one.item.hash: one.share for one in liked(FeedbackTable().rows())}
    if rating == UNRATED:
        return dataclasses.replace(wanted, without=tuple(shares))
    found = [hash_ for hash_, share in shares.items() if (share > EVEN if rating == GOOD else share < EVEN)]
    return dataclasses.replace(wanted, hashes=tuple(found))


def best_first(library: Library, wanted: Wanted, rater: str) -> list[dict[str, Any]]:
    """Return what fits of the newest assets, in the order in which one person, or ``"all"``, would like it.

    Raises:
        UsageError: No medium is wanted: there is no taste over several.
        EmptyDataError: Nothing that was said tells two things apart.
        UnknownNameError: That person said nothing of this medium.
    """
    if wanted.medium is None:
        raise UsageError("what somebody likes of all media", expected="one medium", do="choose a medium")
    table = FeedbackTable()
    taste = _taste(rater, wanted.medium, str(table.path), table.last_id(), sum(table.counts().values()))
    rows = library.newest(dataclasses.replace(wanted, limit=LOOKED_AT))
    found = [_features(library, row["id"]) for row in rows]
    known = [place for place, one in enumerate(found) if one is not None]
    rewards = taste.rewards_of(np.stack([one for one in found if one is not None])).tolist() if known else []
    rewarded = dict(zip(known, rewards, strict=True))
    order = sorted(range(len(rows)), key=lambda place: (-rewarded.get(place, -math.inf), place))
    return [rows[place] for place in order][: wanted.limit]


@functools.lru_cache(maxsize=16)
def _taste(rater: str, medium: str, table: str, last: str, count: int) -> Taste:
    """Learn a taste; the last three say which judgements there are."""
    del table, last, count
    return taste_of(rater, medium=medium)


@functools.lru_cache(maxsize=4096)
def _features(library: Library, name: str) -> np.ndarray | None:
    """Return the features of an asset; ``None`` of what has none."""
    signed, (content, kind) = json.loads(library.manifest(name)), library.content(name)
    try:
        if kind == "image/png":
            item, _ = signed_item(signed, png=content)
        elif kind.startswith("text/") or kind in STRUCTURE_TYPES.values():
            item, _ = signed_item(signed, text=content.decode("utf-8"))
        else:
            item, _ = signed_item(signed, file=content)
        return features([item])[0]
    except (IntegrityError, UsageError):
        return None
