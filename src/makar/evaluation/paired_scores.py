"""Figures of one way of doing something beside those of others on the very same items, with the differences item by item."""

from collections.abc import Mapping

import numpy as np

from makar.evaluation.bootstrap import mean_interval
from makar.evaluation.findings import Score

Differences = dict[str, dict[str, dict[str, float]]]
"""By figure and by what it is compared with: the interval of the difference."""


def paired_score(
    key: str,
    name: str,
    meaning: str,
    values: Mapping[str, np.ndarray],
    differences: Differences,
) -> Score:
    """Return the mean of a figure beside that of others, and note the differences.

    Args:
        key: Its name in the JSON.
        name: Its name for a person.
        meaning: One sentence.
        values: By whose it is, one number an item, the items in one order; the one that is measured under the empty name.
        differences: Is filled in.
    """
    note_differences(key, values, differences)
    return Score(
        key=key,
        name=name,
        interval=mean_interval(values[""]),
        better="higher",
        meaning=meaning,
        baselines=tuple((side, mean_interval(one)) for side, one in values.items() if side),
    )


def note_differences(key: str, values: Mapping[str, np.ndarray], differences: Differences) -> None:
    """Note the differences to others, item by item; nothing without items. The arguments are those of ``paired_score``."""
    if len(values[""]):
        differences[key] = {
            side: mean_interval(values[""] - one).to_dictionary() for side, one in values.items() if side
        }
