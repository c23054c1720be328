"""How fast a stage goes: seconds a step, items a second, share of the machine's peak; and what its losses have been of late, by phase."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

RECENT_LOSSES = 20
SMOOTHING = 0.1


class Throughput:
    """Speed, smoothed over about ten steps.

    Args:
        items_a_step: Tokens, images ... a step.
        operations_an_item: Floating-point operations to train on one.
        peak_operations_per_second: What matrix products reach on this machine; ``None`` where it was not measured.
    """

    def __init__(
        self, items_a_step: int, *, operations_an_item: float, peak_operations_per_second: float | None
    ) -> None:
        self.items_a_step = items_a_step
        self.step_seconds = 0.0
        self._operations = operations_an_item
        self._peak = peak_operations_per_second

    def add(self, seconds: float) -> None:
        """Take the seconds of one step."""
        self.step_seconds += (SMOOTHING if self.step_seconds else 1.0) * (seconds - self.step_seconds)

    @property
    def items_per_second(self) -> float:
        """Items a second; 0 before the first step."""
        return self.items_a_step / self.step_seconds if self.step_seconds else 0.0

    @property
    def peak_fraction(self) -> float | None:
        """Share of the peak that the arithmetic of training reaches."""
        return round(self.items_per_second * self._operations / self._peak, 4) if self._peak else None


class RecentLosses:
    """Losses by phase: first on the device, so that it need not be waited for at every step, then as numbers."""

    def __init__(self) -> None:
        self._pending: list[tuple[str, Tensor]] = []
        self._recent: dict[str, list[float]] = {}

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Take the losses of the phases that were due in a step."""
        self._pending += losses.items()

    def read(self, average: Callable[[float], float]) -> dict[str, list[float]]:
        """Return what came since the last call, by phase, in order.

        Args:
            average: From the loss of this process to the mean over all.
        """
        if not self._pending:
            return {}
        values = torch.stack([loss for _, loss in self._pending]).tolist()
        found: dict[str, list[float]] = {}
        for (phase, _), value in zip(self._pending, values, strict=True):
            found.setdefault(phase, []).append(average(value))
        self._pending.clear()
        for phase, new in found.items():
            self._recent[phase] = [*self._recent.get(phase, []), *new][-RECENT_LOSSES:]
        return found

    def means(self) -> dict[str, float]:
        """Return the mean of each phase's last twenty finite losses."""
        finite = {phase: list(filter(math.isfinite, values)) for phase, values in self._recent.items()}
        return {phase: sum(values) / len(values) for phase, values in finite.items() if values}
