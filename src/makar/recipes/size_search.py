"""Which of several sizes of a network an amount of arithmetic trains best, as long as the data is enough for it."""

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

Size = TypeVar("Size")


def best_size(
    sizes: Iterable[Size], *, operations: float, needed: Callable[[Size], float], is_fed: Callable[[Size], bool]
) -> Size:
    """Return the size whose training wants an amount of arithmetic nearest to what there is, by ratio.

    Args:
        sizes: Smallest first; the smallest is a candidate whatever the data.
        operations: Floating-point operations that there are.
        needed: Operations that a size should be trained with.
        is_fed: Whether the data is enough for a size; sizes from the first for which it is not are left out.

    Raises:
        ValueError: There is no size.
    """
    candidates: list[Size] = []
    for size in sizes:
        if candidates and not is_fed(size):
            break
        candidates.append(size)
    return min(candidates, key=lambda size: abs(math.log(needed(size) / max(operations, 1.0))))
