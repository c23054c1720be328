"""What is known of a clip, as the network is given it, and the holes that it learns to fill: one rule for all that is done to clips.

Beside the noisy clip the network sees the known one, with nothing where it is not known, and where that is. Trained with holes of many
kinds it makes a clip from nothing, from its first frame, onward from its first frames, between first and last, in a box (Hoppe et al. 2022,
RaMViD, arXiv 2206.07696; Voleti et al. 2022, MCVD, arXiv 2205.09853). Unlike in those, noise is predicted for the known part too: one mean
over all, and what is known is put back at the end.

A single picture among the clips is learned as a picture: its frames are so many copies with noise of their own, and no layer that looks
along time takes part, or it would learn to find a picture in its other copies (as Ho et al. 2022, arXiv 2204.03458, section 3.1, train on
images at once).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

FROM_NOTHING = 0.45
"""Share of the clips of which nothing is known: what is asked for most."""

KINDS = ("first", "beginning", "first", "ends", "end", "scattered", "box", "beginning")
"""What is known of the others, one as often as another: the first frame and the beginning twice."""


def given_planes(
    known: Float[Tensor, "batch channels height width"], is_new: Bool[Tensor, "batch frames height width"]
) -> Float[Tensor, "batch planes height width"]:
    """Return what the network is given: for every frame what is known of it, and 1 where that is not known.

    Args:
        known: Clips, the channels of all frames after each other.
        is_new: Where they are to be made.
    """
    frames = is_new.shape[1]
    hidden = is_new[:, :, None].to(known.dtype)
    seen = known.unflatten(1, (frames, -1)) * (1 - hidden)
    return torch.cat([seen, hidden], 2).flatten(1, 2)


def single_pictures(clips: Float[Tensor, "batch channels height width"], *, frames: int) -> Bool[Tensor, " batch"]:
    """Return which clips are single pictures: every frame is the first one again, which says nothing of movement.

    Args:
        clips: The channels of all frames after each other.
        frames: Frames of each.
    """
    apart = clips.unflatten(1, (frames, -1))
    found: Tensor = (apart == apart[:, :1]).flatten(1).all(1)
    return found


def random_holes(
    count: int, *, frames: int, height: int, width: int, generator: torch.Generator
) -> Bool[Tensor, "count frames height width"]:
    """Return where clips are to be made in training.

    Args:
        count: Number of clips.
        frames: Frames of each.
        height: Of each frame.
        width: Of each frame.
        generator: Source of randomness, on the CPU.
    """
    holes = torch.ones(count, frames, height, width, dtype=torch.bool)
    draws = torch.rand(count, 8, generator=generator).tolist()
    for hole, (nothing, kind, *rest) in zip(holes, draws):
        if nothing >= FROM_NOTHING:
            _show(hole, KINDS[int(kind * len(KINDS))], rest)
    return holes


def _show(hole: Tensor, kind: str, draws: list[float]) -> None:
    """Mark what is known, in place."""
    frames, height, width = hole.shape
    some = 1 + int(draws[0] * (frames - 1))
    if kind == "first":
        hole[0] = False
    elif kind == "beginning":
        hole[:some] = False
    elif kind == "end":
        hole[frames - some :] = False
    elif kind == "ends":
        hole[0] = hole[-1] = False
    elif kind == "scattered":
        # Every draw is of use: the places follow from one number, which is enough for clips of training.
        order = sorted(range(frames), key=lambda frame: (draws[1] * (frame + 1) * 7919.0) % 1.0)
        for frame in order[:some]:
            hole[frame] = False
    else:
        rows, columns = (max(1, round((0.25 + 0.5 * draw) * side)) for draw, side in zip(draws[1:3], (height, width)))
        top, left = int(draws[3] * (height - rows + 1)), int(draws[4] * (width - columns + 1))
        hole[:] = False
        hole[:, top : top + rows, left : left + columns] = True
