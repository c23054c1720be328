"""Tells a healthy loss from a spike, from two running means of it.

A loss is bad when it is not finite, or when the mean of about the last ten doubles the mean of about the last two hundred. Doubling is
far outside the noise of likelihoods and squared errors. Losses of adversaries and policies swing by nature, so there only
non-finite values count.
"""

import dataclasses
import math


@dataclasses.dataclass
class LossWatch:
    """Two bias-corrected running means; plain numbers, so a checkpoint carries them exactly.

    Attributes:
        fast: Sum behind the mean of about ten losses.
        slow: Sum behind the mean of about two hundred losses.
        count: Losses seen.
    """

    fast: float = 0.0
    slow: float = 0.0
    count: int = 0

    FAST_KEEP = 0.9
    SLOW_KEEP = 0.995
    FIRST_COUNT = 30
    SPIKE_FACTOR = 2.0
    CALM_FACTOR = 1.2

    def add(self, loss: float) -> None:
        """Take one loss into the means."""
        self.fast = self.FAST_KEEP * self.fast + (1.0 - self.FAST_KEEP) * loss
        self.slow = self.SLOW_KEEP * self.slow + (1.0 - self.SLOW_KEEP) * loss
        self.count += 1

    def ratio(self) -> float:
        """Return the recent mean over the longer one; 1 while too few were seen or the loss is not positive."""
        if not math.isfinite(self.fast):
            return math.inf
        if self.count < self.FIRST_COUNT:
            return 1.0
        slow = self.slow / (1.0 - self.SLOW_KEEP**self.count)
        return self.fast / (1.0 - self.FAST_KEEP**self.count) / slow if slow > 0 else 1.0

    def is_spike(self) -> bool:
        """Return whether the loss has doubled."""
        return self.ratio() > self.SPIKE_FACTOR

    def is_calm(self) -> bool:
        """Return whether the present state is worth going back to."""
        return self.ratio() < self.CALM_FACTOR
