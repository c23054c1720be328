"""How long every unit of a text lasts when it is spoken: a linear guess of the logarithm from the unit, its neighbours and its place."""

import dataclasses

import numpy as np

from makar.errors import ArtifactError

RIDGE = 3.0
SHORTEST_SECONDS = 0.016
LONGEST_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Durations:
    """What the logarithm of a duration follows from.

    Attributes:
        weights: float64 ``[features]``.
        units: How many different units there are.
    """

    weights: np.ndarray
    units: int

    def seconds(self, order: np.ndarray) -> np.ndarray:
        """Return how long every unit lasts, float64 ``[length]``.

        Args:
            order: Numbers of the units.
        """
        guess = np.exp(unit_features(order, self.units) @ self.weights)
        return np.clip(guess, SHORTEST_SECONDS, LONGEST_SECONDS)

    def to_list(self) -> list[float]:
        """Return plain values for a file."""
        return [float(value) for value in self.weights.round(5)]

    @classmethod
    def from_list(cls, values: list[float], *, units: int) -> "Durations":
        """Rebuild from plain values.

        Raises:
            ArtifactError: They are not as many as so many units need.
        """
        weights = np.asarray(values, np.float64)
        if weights.shape != (guess_width(units),) or not np.isfinite(weights).all():
            raise ArtifactError(f"durations of shape {list(weights.shape)}", expected=f"[{guess_width(units)}]")
        return cls(weights, units)


def learned_durations(orders: list[np.ndarray], seconds: list[np.ndarray], *, units: int) -> Durations:
    """Return what durations follow from, by least squares.

    Args:
        orders: Numbers of the units of every recording.
        seconds: How long each of them lasts.
        units: How many different units there are.
    """
    logarithms = [np.log(np.maximum(part, SHORTEST_SECONDS / 2)) for part in seconds]
    return Durations(guess_weights(orders, logarithms, units=units), units)


def guess_weights(orders: list[np.ndarray], values: list[np.ndarray], *, units: int) -> np.ndarray:
    """Return the weights of a linear guess of something that every unit has, float64 ``[features]``, by least squares with a ridge.

    Args:
        orders: Numbers of the units of every recording.
        values: What is guessed of each of them; without any recording everything is guessed to be 0.
        units: How many different units there are.
    """
    if not orders:
        return np.zeros(guess_width(units))
    inputs = np.concatenate([unit_features(order, units) for order in orders])
    targets = np.concatenate(values)
    centre = float(targets.mean())
    moments = inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1])
    moments[-1, -1] -= RIDGE
    weights: np.ndarray = np.linalg.solve(moments, inputs.T @ (targets - centre))
    weights[-1] += centre
    return weights


def guess_width(units: int) -> int:
    """Return how many features a unit has."""
    return 5 * units + 4


def unit_features(order: np.ndarray, units: int) -> np.ndarray:
    """Return what is known of every unit of a text, float64 ``[length, features]``; the last is 1 everywhere.

    Args:
        order: Numbers of the units.
        units: How many different ones there are.
    """
    length = len(order)
    found = np.zeros((length, guess_width(units)))
    for place, offset in enumerate((0, -1, 1, -2, 2)):
        beside = np.arange(length) + offset
        inside = (beside >= 0) & (beside < length)
        found[inside, place * units + order[beside[inside]]] = 1
    is_pause = order == 0
    pauses = np.flatnonzero(is_pause)
    if len(pauses):
        places = np.arange(length)
        following = pauses[np.minimum(np.searchsorted(pauses, places), len(pauses) - 1)]
        before = pauses[np.maximum(np.searchsorted(pauses, places, side="right") - 1, 0)]
        found[:, -4] = np.exp(-np.abs(following - places) / 3)
        found[:, -3] = np.exp(-np.abs(places - before) / 3)
    found[:, -2] = np.minimum(length, 100) / 100
    found[:, -1] = 1
    return found
