"""What happens to an image after the sampler: how the result goes into the image that was given, and what the manifest says of it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """One edit of one image.

    Attributes:
        finish: From what the model made, uint8 ``[height, width, channels]``, to what the user gets.
        stated: What goes into the manifest: operation, settings, and the hashes of what was given.
        is_composite: Whether something that was given is in the result; otherwise it was made from nothing.
    """

    finish: Callable[[np.ndarray], np.ndarray]
    stated: dict[str, Any]
    is_composite: bool = True


def unchanged(made: np.ndarray) -> np.ndarray:
    """Return what the model made as it is."""
    return made
