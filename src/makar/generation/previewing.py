"""Previews of what is being made, for whoever waits: what the sampler expects in the middle of its steps, each as an asset of its own.

Decisions. A preview leaves through the same door as everything else: what a guard refuses is not shown, and its signed manifest says in
which step it was found (``estimate``), so that nobody takes it for the finished asset. It is compared with the training data only where
there is a guard, because that takes longer than a step. The finished asset is the same with and without previews.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from makar.errors import UnsupportedError, UsageError
from makar.families.estimates import ShowsEstimates
from makar.families.family import Sampler
from makar.generation.asset import Asset


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Previews:
    """Previews that are wanted.

    Attributes:
        show: Called with each, in the middle of the work; what it raises ends the work.
        most: Previews of every asset; there are fewer where it takes fewer steps.
    """

    show: Callable[[Asset], None]
    most: int

    def __post_init__(self) -> None:
        if self.most < 1:
            raise UsageError(f"{self.most} previews", expected="at least 1, or none asked for")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """How far the work is, for whoever waits and sees nothing of it.

    Attributes:
        tell: Called with the step that is taken, from 1, and how many there are, in the middle of the work; what it raises ends the work.
        most: Times of every asset that it is called; fewer where there are fewer steps. Not after the last: then the asset is there.
    """

    tell: Callable[[int, int], None]
    most: int = 100


def watched(sampler: Sampler) -> ShowsEstimates:
    """Return a sampler as one that can be watched.

    Raises:
        UnsupportedError: It makes its examples in one go, or one piece after the other.
    """
    if not isinstance(sampler, ShowsEstimates):
        raise UnsupportedError(
            "previews of a model that comes to nothing step by step",
            expected="a diffusion model",
            do="leave the previews out: what it makes is there at once",
        )
    return sampler


class Previewable(Iterator[Asset]):
    """Assets in the making, each drawn in one piece by a sampler, so that there may be previews of them.

    Args:
        assets: The assets.
        show: Lets somebody see what is not finished.
    """

    def __init__(self, assets: Iterator[Asset], show: Callable[[Previews | Steps], None]) -> None:
        self._assets = assets
        self.show = show

    def __next__(self) -> Asset:
        return next(self._assets)


def shown(assets: Iterator[Asset], previews: Previews | None) -> Iterator[Asset]:
    """Return assets in the making, of which somebody is shown what is not finished yet.

    Args:
        assets: What ``generate`` or ``edit`` gave, of which none has been asked for.
        previews: Who is shown what; ``None`` for nobody.

    Raises:
        UnsupportedError: The model comes to nothing step by step, or each asset is put together from several pieces.
    """
    if previews is None:
        return assets
    if not isinstance(assets, Previewable):
        raise UnsupportedError(
            "previews of what is put together from several pieces, or is no example of a sampler",
            expected="an image, a sound or a clip that a diffusion model makes in one piece",
        )
    assets.show(previews)
    return assets


def counted(assets: Iterator[Asset], steps: Steps) -> Iterator[Asset]:
    """Return assets in the making, of which somebody is told how far they are; nothing is told of what has no steps.

    Args:
        assets: What ``generate`` or ``edit`` gave, of which none has been asked for.
        steps: Who is told.
    """
    if isinstance(assets, Previewable):
        with contextlib.suppress(UnsupportedError):
            assets.show(steps)
    return assets
