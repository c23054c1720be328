"""What a sampler that comes to its examples in steps expects of the end while it is still on the way: previews for whoever waits.

An estimate is computed by the network itself, in a step that is taken anyway, so it costs nothing but being shown: no weight is read and
no number is drawn for it, and the finished example is bit for bit the same whether somebody watches or not.
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """What an example is expected to become.

    Attributes:
        index: Which of the examples of the call.
        slots: As of a finished example.
        step: In which step it was found, from 1.
        steps: How many steps there are.
    """

    index: int
    slots: dict[str, np.ndarray]
    step: int
    steps: int


Watcher = Callable[[Estimate], None]


@runtime_checkable
class ShowsEstimates(Protocol):
    """A sampler that can be watched; the configuration of its family says ``previews``."""

    def watch(self, watcher: Watcher, *, most: int) -> None:
        """Tell a watcher at some steps what is expected, in all that is sampled from now on.

        Args:
            watcher: Called in the middle of sampling; what it raises ends the sampling.
            most: Estimates of every example, evenly spread over the steps; there are fewer where there are fewer steps.
        """


def told_steps(steps: int, most: int) -> list[int]:
    """Return at which steps, from 0, so many estimates are due; not at the last, which ends in the example itself.

    >>> told_steps(10, 3)
    [2, 5, 7]
    >>> told_steps(2, 3)
    [0]
    """
    return sorted({number * steps // (most + 1) for number in range(1, most + 1)} - {steps - 1})
