"""What a network heard in a whole recording, before it is written down: how likely every letter is at every step."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """Chances of letters over a recording.

    Attributes:
        chances: Logarithms, float32 ``[steps, vocabulary]``; token 0 is nothing new.
        step_seconds: From one step to the next.
        spell: From tokens int64 ``[letters]`` to the text of each, a space between words.
        beam: Beginnings of a transcript that are pursued.
        windows: How many parts it was heard in.
    """

    chances: np.ndarray
    step_seconds: float
    spell: Callable[[np.ndarray], list[str]]
    beam: int
    windows: int
