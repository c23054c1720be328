"""How much a changed clip flickers where the given one stands still, beside how much that did: a figure in the manifest of an edit."""

from collections.abc import Callable
from typing import Any

import numpy as np

from makar.data.clip import Clip
from makar.data.flicker import LEAST_FRAMES, flicker, still


def flicker_beside(given: np.ndarray, is_new: np.ndarray | None = None) -> Callable[[Any], dict[str, Any]]:
    """Return what measures a changed clip.

    Args:
        given: What was given, uint8 ``[frames, rows, columns, channels]``, of the size of the result.
        is_new: Where the clip was made anew, bool ``[rows, columns]``; ``None`` for all of it.

    Returns:
        From the changed clip to ``{"flicker": {"made", "given", "share"}}``, shares of the range and of the places; to nothing where no
        place stands still or there are too few frames to tell.
    """
    places = still(given[None]) if is_new is None else still(given[None]) & is_new
    share = float(places.mean())

    def measured(made: Clip) -> dict[str, Any]:
        if len(given) < LEAST_FRAMES or not share:
            return {}
        found = {
            name: round(float(flicker(frames[None], places)[0]), 6)
            for name, frames in (("made", made.frames), ("given", given))
        }
        return {"flicker": {**found, "share": round(share, 6)}}

    return measured
