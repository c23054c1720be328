"""Who is better by the word of people: a Bradley-Terry ranking of models with intervals, and what is decided by it.

P(one is preferred to another) = 1 / (1 + exp(b - a)) with a strength for each model, the strengths adding up to 0 (Bradley and Terry 1952,
Biometrika 39); a tie is half a win for each. Found by the iteration of Hunter 2004, "MM algorithms for generalized Bradley-Terry models",
equation 3. Intervals come from resampling (``bootstrap``), everything that was said of the same answers as a whole, because that is not
independent.

Decision: two wins each way are put to every two models that were compared, and resampled with the rest, as Agresti and Coull 1998
("Approximate is better than 'exact'") do for one share. Without them three wins of three would have the interval from 3 to 3, and decide.
Two models are decided where the interval of the difference of their strengths leaves out zero.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from makar.evaluation.bootstrap import CONFIDENCE, Interval

RESAMPLES = 1000
ADDED = 2
"""Wins each way that are added to two models that were compared."""

MOST_STEPS, SMALLEST_STEP = 1000, 1e-7
DECIDED, UNDECIDED = "decided", "not yet decided"
FIRST, SECOND, TIE = 1.0, 0.0, 0.5


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two models compared once.

    Attributes:
        first: Name of one.
        second: Name of the other.
        won: 1 where the first is preferred, 0 where the second is, one half for a tie.
        group: What comparisons have in common that are not independent: the answers that were compared.
    """

    first: str
    second: str
    won: float
    group: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranked:
    """One model in a ranking.

    Attributes:
        model: Its name.
        strength: In nats; 0 is the mean of all.
        wins: Comparisons that it won.
        losses: Comparisons that it lost.
        ties: Even ones.
    """

    model: str
    strength: Interval
    wins: int
    losses: int
    ties: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Duel:
    """What is known of two models.

    Attributes:
        better: The one with the greater strength.
        worse: The other one.
        difference: Of their strengths.
        win_rate: How often the better one is expected to be preferred.
        comparisons: How often the two were compared directly.
        are_linked: Whether they were compared at all, directly or through others.
    """

    better: str
    worse: str
    difference: Interval
    win_rate: Interval
    comparisons: int
    are_linked: bool

    @property
    def verdict(self) -> str:
        """``"decided"`` or ``"not yet decided"``."""
        return DECIDED if self.are_linked and self.difference.low > 0 else UNDECIDED


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranking:
    """A ranking of models.

    Attributes:
        models: The best first.
        duels: Every two of them.
        comparisons: How many there were.
    """

    models: tuple[Ranked, ...]
    duels: tuple[Duel, ...]
    comparisons: int

    def duel(self, one: str, other: str) -> Duel | None:
        """Return what is known of two models; ``None`` where one of them is not in the ranking."""
        return next((duel for duel in self.duels if {duel.better, duel.worse} == {one, other}), None)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "models": [dataclasses.asdict(one) | {"strength": one.strength.to_dictionary()} for one in self.models],
            "pairs": [dataclasses.asdict(duel) | {"verdict": duel.verdict} for duel in self.duels],
            "comparisons": self.comparisons,
        }


def rank(comparisons: Sequence[Comparison], *, seed: int = 0) -> Ranking:
    """Return the ranking of the models that were compared; without a comparison an empty one.

    Args:
        comparisons: What people said.
        seed: Of the resampling.
    """
    names = sorted({name for one in comparisons for name in (one.first, one.second)})
    number = {name: place for place, name in enumerate(names)}
    counted = _counted(comparisons, number)
    if not counted.size:
        return Ranking(models=(), duels=(), comparisons=0)
    generator = np.random.default_rng(seed)
    times = generator.multinomial(len(counted), np.full(len(counted), 1 / len(counted)), size=RESAMPLES)
    drawn = np.tensordot(times.astype(np.float64), counted, axes=1)
    strengths = _strengths(np.concatenate([counted.sum(0)[None], drawn]))
    own, resampled = strengths[0], strengths[1:]
    order = np.argsort(-own, kind="stable").tolist()
    models = tuple(_ranked(names[place], _interval(own[place], resampled[:, place]), comparisons) for place in order)
    linked = _linked(counted.sum(0))
    duels = []
    for one, other in itertools.combinations(order, 2):
        difference = _interval(own[one] - own[other], resampled[:, one] - resampled[:, other])
        rate = [float(1 / (1 + np.exp(-part))) for part in dataclasses.astuple(difference)]
        direct = sum({item.first, item.second} == {names[one], names[other]} for item in comparisons)
        duels.append(
            Duel(
                better=names[one],
                worse=names[other],
                difference=difference,
                win_rate=Interval(*rate),
                comparisons=direct,
                are_linked=bool(linked[one, other]),
            )
        )
    return Ranking(models=models, duels=tuple(duels), comparisons=len(comparisons))


def _counted(comparisons: Sequence[Comparison], number: dict[str, int]) -> np.ndarray:
    """Return wins ``[groups, models, models]``: of the row over the column, with what is added a group for each."""
    many = len(number)
    groups = {name: place for place, name in enumerate(dict.fromkeys(one.group for one in comparisons))}
    counted = np.zeros((len(groups), many, many))
    for one in comparisons:
        first, second = number[one.first], number[one.second]
        counted[groups[one.group], first, second] += one.won
        counted[groups[one.group], second, first] += 1 - one.won
    added = []
    for left, right in itertools.combinations(range(many), 2):
        if counted[:, left, right].any() or counted[:, right, left].any():
            for better, worse in ((left, right), (right, left)):
                wins = np.zeros((many, many))
                wins[better, worse] = 1
                added += [wins] * ADDED
    return np.concatenate([counted, np.stack(added)]) if added else counted


def _strengths(wins: np.ndarray) -> np.ndarray:
    """Return the strengths ``[sets, models]`` of wins ``[sets, models, models]``, in nats, the mean of each set 0."""
    many = wins.shape[1]
    # So little that it moves nothing, and no drawn set in which a model always loses has a strength of minus infinity.
    wins = wins + 1e-3 * (wins.sum(0) + wins.sum(0).T > 0) * (1 - np.eye(many))
    met = wins + wins.transpose(0, 2, 1)
    total = wins.sum(2)
    weight = np.ones((len(wins), many))
    for _ in range(MOST_STEPS):
        shared = (met / (weight[:, :, None] + weight[:, None, :])).sum(2)
        new = total / np.maximum(shared, 1e-300)
        new /= np.exp(np.log(new).mean(1, keepdims=True))
        moved = np.abs(np.log(new / weight)).max()
        weight = new
        if moved < SMALLEST_STEP:
            break
    strengths: np.ndarray = np.log(weight)
    return strengths


def _linked(wins: np.ndarray) -> np.ndarray:
    """Return which models ``[models, models]`` were compared, directly or through others: of the rest nothing is known."""
    reached = (wins + wins.T > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins)):
        reached = (reached.astype(int) @ reached.astype(int)) > 0
    return reached


def _interval(value: float, drawn: np.ndarray) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def _ranked(name: str, strength: Interval, comparisons: Sequence[Comparison]) -> Ranked:
    mine = [one.won if one.first == name else 1 - one.won for one in comparisons if name in (one.first, one.second)]
    return Ranked(
        model=name,
        strength=strength,
        wins=sum(won > TIE for won in mine),
        losses=sum(won < TIE for won in mine),
        ties=sum(won == TIE for won in mine),
    )
