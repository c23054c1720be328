"""The wall-clock promise: seconds from the finished store to the saved artifact, counted across interruptions, and the pace within.

A ``Budget`` is made once by whoever owns the promise, right after the store is finished; probing, training and saving all consume it.
A ``Pace`` turns a budget or a number of steps into one progress from 0 to 1. The clock is passed in, so that tests own the time.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class Budget:
    """Seconds to spend.

    Args:
        seconds: The whole promise.
        consumed_seconds: What earlier processes of the same run spent.
        reserve_seconds: Kept free at the end for saving the artifact; ``None`` keeps half a second and one hundredth of the promise.
        clock: Returns seconds that only ever grow.
    """

    def __init__(
        self,
        seconds: float,
        *,
        consumed_seconds: float = 0.0,
        reserve_seconds: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.reserve_seconds = min(0.5 + 0.01 * seconds, 30.0) if reserve_seconds is None else reserve_seconds
        self._clock = clock
        self._earlier = consumed_seconds
        self._start = clock()

    def consumed(self) -> float:
        """Return the seconds spent so far, over all processes of the run."""
        return self._earlier + self._clock() - self._start

    def remaining(self) -> float:
        """Return the seconds left of the promise; negative when it is broken."""
        return self.seconds - self.consumed()

    def restore(self, consumed_seconds: float) -> None:
        """Count what the interrupted processes of the run spent, as their last checkpoint says; saying it twice counts once."""
        self._earlier = max(self._earlier, consumed_seconds)


class Pace:
    """How far a stage is, from 0 to 1, and when it has to end.

    Args:
        steps: Number of steps; ``None`` paces by the clock.
        budget: The promise to keep; only read when ``steps`` is ``None``.
        start_seconds: Consumed seconds at which the stage began.
        share: Share of what was then left that belongs to this stage.
    """

    def __init__(self, steps: int | None, *, budget: Budget, start_seconds: float = 0.0, share: float = 1.0) -> None:
        self.steps = steps
        self.budget = budget
        self.start_seconds = start_seconds
        self.end_seconds = start_seconds + share * max(0.0, budget.seconds - budget.reserve_seconds - start_seconds)
        self.closing_seconds = 0.0
        """What the stage needs after its last step: validation and writing the best weights, once measured."""

    @property
    def length_seconds(self) -> float:
        """Return the seconds for steps, without the closing work."""
        return max(1e-9, self.end_seconds - self.closing_seconds - self.start_seconds)

    def progress(self, step: int) -> float:
        """Return the share of the stage that is over.

        Args:
            step: Steps taken so far.
        """
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, max(0.0, (self.budget.consumed() - self.start_seconds) / self.length_seconds))

    def seconds_left(self, step: int, *, step_seconds: float) -> float:
        """Return the expected seconds until the last step is taken."""
        if self.steps is not None:
            return max(0.0, (self.steps - step) * step_seconds)
        return max(0.0, self.start_seconds + self.length_seconds - self.budget.consumed())

    def is_over(self, step: int, *, step_seconds: float) -> bool:
        """Return whether another step would go past the end: a little early is better than late."""
        if self.steps is not None:
            return step >= self.steps
        return self.seconds_left(step, step_seconds=step_seconds) < step_seconds or self.progress(step) >= 1.0
