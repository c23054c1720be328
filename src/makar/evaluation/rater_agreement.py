"""How far people agree: Krippendorff's alpha, 1 where all say the same, 0 where they agree by chance only, below it where they differ.

alpha = 1 - observed / expected disagreement, over everything that at least two judged; people need not have judged the same things
(Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"; Hayes and Krippendorff 2007, equation 1). The distance of two values is
0 or 1 for names, such as who won, and the square of the difference for numbers, such as stars. The interval resamples the things that were
judged. Cohen's and Fleiss' kappa want the same number of people for each thing, which nobody here promises.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from makar.evaluation.bootstrap import Interval, interval_of

LEAST_UNITS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far people agree.

    Attributes:
        alpha: Krippendorff's; ``None`` where too little was judged by two people, or everything was judged alike by all.
        raters: How many people judged something that another one judged too.
        units: How many things at least two people judged.
    """

    alpha: Interval | None
    raters: int
    units: int

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)


def agreement(units: Sequence[dict[str, float]], *, are_names: bool) -> Agreement:
    """Return how far people agree.

    Args:
        units: For each thing, what each person said of it.
        are_names: Whether values are names, which are the same or not, or numbers, which may be near.
    """
    shared = [unit for unit in units if len(unit) > 1]
    raters = len({name for unit in shared for name in unit})
    if len(shared) < LEAST_UNITS:
        return Agreement(alpha=None, raters=raters, units=len(shared))
    values = sorted({value for unit in shared for value in unit.values()})
    counts = np.array([[sum(said == value for said in unit.values()) for value in values] for unit in shared], float)
    numbers = np.array(values)
    distance = (numbers[:, None] - numbers[None, :]) ** 2
    if are_names:
        distance = (distance > 0).astype(float)

    def alpha(times: np.ndarray) -> float:
        return _alpha(counts, distance, times)

    if np.isnan(alpha(np.ones(len(shared)))):
        return Agreement(alpha=None, raters=raters, units=len(shared))
    return Agreement(
        alpha=interval_of(lambda times: float(np.nan_to_num(alpha(times), nan=1.0)), len(shared)),
        raters=raters,
        units=len(shared),
    )


def _alpha(counts: np.ndarray, distance: np.ndarray, times: np.ndarray) -> float:
    """Return alpha of counts ``[units, values]``, each unit taken so many times; not a number where nothing differs."""
    people = counts.sum(1)
    # Pairs of two people within a unit, each weighing 1 / (people - 1).
    within = (counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])) / (people - 1)[
        :, None, None
    ]
    coincidences = (times[:, None, None] * within).sum(0)
    margins = coincidences.sum(1)
    total = margins.sum()
    expected = (np.outer(margins, margins) - np.diag(margins)) / max(total - 1, 1)
    worst = (expected * distance).sum()
    return float(1 - (coincidences * distance).sum() / worst) if worst > 0 else float("nan")
