"""Tells a generator that has collapsed, and a discriminator that no longer teaches, from a healthy pair.

Three monitors. *Spread*: the mean distance of two made images over that of two real ones, in fixed features; when every vector gives nearly
the same image it goes to 0. *Nearest*: the mean distance of a made image to the nearest of the others, over the same for as many real
ones; when a few images are made again and again it goes to 0 while the spread stays (the birthday test of Arora and Zhang 2017, arXiv
1706.08224, with distances). *Margin*: a running mean of the discriminator's loss; at saturation nothing it says has a slope.

An alarm needs a generator that was varied before, or that is not after ``PATIENCE`` of the run: the first images of any network are alike.
A state is worth returning to only well above the limits, so that a return does not land in a collapse that is already under way.
"""

import dataclasses

SPREAD_LIMIT, SPREAD_GOOD = 0.25, 0.5
NEAREST_LIMIT, NEAREST_GOOD = 0.12, 0.25
MARGIN_LIMIT, MARGIN_GOOD = 1e-3, 1e-2
"""Of the discriminator's loss, in nats; an undecided one has 0.69 (relativistic) or 1.39."""

PATIENCE = 0.35
"""Share of the run after which a generator that never was varied counts as collapsed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Monitors:
    """What was measured.

    Attributes:
        spread: Mean distance of two made images over that of two real ones.
        nearest: Mean distance of a made image to the nearest other, over that of real ones.
        margin: Running mean of the discriminator's loss, in nats.
    """

    spread: float
    nearest: float
    margin: float

    @property
    def is_varied(self) -> bool:
        """Whether the images are as different as a state to return to needs."""
        return self.spread >= SPREAD_GOOD and self.nearest >= NEAREST_GOOD

    @property
    def is_good(self) -> bool:
        """Whether the state is worth returning to, as far as these figures say."""
        return self.is_varied and self.margin >= MARGIN_GOOD


def alarm(monitors: Monitors, *, was_varied: bool, progress: float) -> str:
    """Return what is broken, in words; empty when nothing is.

    Args:
        monitors: What was measured.
        was_varied: Whether the generator was varied at any earlier look.
        progress: Share of the run that is over.
    """
    if was_varied or progress > PATIENCE:
        if not monitors.spread >= SPREAD_LIMIT:
            return f"the generator collapsed: its images differ {monitors.spread:.0%} as much as the data do"
        if not monitors.nearest >= NEAREST_LIMIT:
            return (
                f"the generator collapsed onto few images: the nearest of 64 is at {monitors.nearest:.0%} of the distance "
                "that it has in the data"
            )
        if not monitors.margin >= MARGIN_LIMIT:
            return f"the discriminator is saturated: its loss is {monitors.margin:.1g} nats, so the generator learns nothing"
    return ""
