"""What happens to an image or a sound after the sampler: how the result goes into what was given, and what the manifest says of it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from makar.data.sound import Sound


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """One edit of one image or sound.

    Attributes:
        finish: From what the model made, an image uint8 ``[height, width, channels]``, to what the user gets.
        stated: What goes into the manifest: operation, settings, and the hashes of what was given.
        decode: From the slots of a sampler to what ``finish`` takes; ``None`` takes the codec.
        sound: What is heard with a clip.
        measured: From what the user gets to figures of it that the manifest states; ``None`` where nothing is measured.
        is_composite: Whether something that was given is in the result; otherwise it was made from nothing.
    """

    finish: Callable[[Any], Any]
    stated: dict[str, Any]
    is_composite: bool = True
    decode: Callable[[dict[str, np.ndarray]], Any] | None = None
    sound: Sound | None = None
    measured: Callable[[Any], dict[str, Any]] | None = None


def unchanged(made: Any) -> Any:
    """Return what the model made as it is."""
    return made
