"""Edits of held-out clips, as a user asks for them, and how much they flicker: a box made anew, and the whole begun from at half strength.

Flicker is counted where the real clip stands still, so that movement is not taken for it. Beside it stands that of the real clips at the
same places, and that of two draws in turn: what an edit of each frame for itself would come to, by which it can be seen that the figure
tells.
"""

from typing import Any

import numpy as np
import torch

from makar.codecs.video import VideoCodec, frames_of
from makar.data.flicker import LEAST_FRAMES, flicker, still
from makar.evaluation.bootstrap import mean_interval
from makar.evaluation.findings import Score
from makar.evaluation.material import Material
from makar.generation.clip_slots import as_model, hole_as_model
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import CAPTION, CLASS, KNOWN, MASK, SOURCE, TARGET

EDITED = 16
"""Held-out clips that are edited."""

STRENGTH = 0.5
OTHER_DRAW = 7919
"""Added to the seeds of the second draw."""


def edit_scores(material: Material, codec: VideoCodec) -> tuple[Score, ...]:
    """Return how much edits of held-out clips flicker.

    Args:
        material: The model and its data.
        codec: The codec of its clips.
    """
    frames = codec.config.frames
    if frames < LEAST_FRAMES:
        return ()
    planes = np.asarray(material.held_out.columns[TARGET].values[:EDITED])
    real = frames_of(planes, frames)
    height, width = planes.shape[2:]
    box = np.zeros((height, width), bool)
    box[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    boxed = [
        filled_in(material, planes, np.repeat(box[None], frames, 0), further=further) for further in (0, OTHER_DRAW)
    ]
    begun = [begun_from(material, planes, strength=STRENGTH, further=further) for further in (0, OTHER_DRAW)]
    places = still(real)
    scores = (
        _score("box_flicker", "Flicker of a box that was made anew", boxed, real, places & box),
        _score("strength_flicker", f"Flicker of clips begun from at strength {STRENGTH}", begun, real, places),
    )
    return tuple(score for score in scores if score is not None)


def filled_in(material: Material, planes: np.ndarray, is_new: np.ndarray, *, further: int = 0) -> np.ndarray:
    """Return clips in which the model made some frames, or parts of them.

    Args:
        material: The model and its data; classes and captions are those of the first held-out clips.
        planes: uint8 ``[clips, frames * channels, height, width]``.
        is_new: bool ``[frames]`` or ``[frames, height, width]``.
        further: Added to the seeds.

    Returns:
        uint8 ``[clips, frames, height, width, channels]``.
    """
    places = is_new if is_new.ndim == 3 else is_new[:, None, None]
    mask = hole_as_model(np.broadcast_to(places, (len(is_new), *planes.shape[2:])), material.codec)
    given = [{KNOWN: as_model(clip, material.codec), MASK: mask} for clip in planes]
    material.say("filling in held-out clips", 0, len(given))
    return _drawn(material, given, {}, further)


def begun_from(material: Material, planes: np.ndarray, *, strength: float, further: int = 0) -> np.ndarray:
    """Return clips that the model began from others; as ``filled_in``.

    Args:
        material: The model and its data.
        planes: uint8 ``[clips, frames * channels, height, width]``.
        strength: 0 leaves them, 1 does not look at them.
        further: Added to the seeds.
    """
    given = [{SOURCE: as_model(clip, material.codec)} for clip in planes]
    material.say("beginning from held-out clips", 0, len(given))
    return _drawn(material, given, {"strength": strength}, further)


def is_told(material: Material) -> list[str]:
    """Return the slots by which the model is told what a held-out clip shows."""
    return [name for name in (CLASS, CAPTION) if name in material.held_out.columns and name in material.codec.spec]


def _drawn(
    material: Material, given: list[dict[str, torch.Tensor]], options: dict[str, Any], further: int
) -> np.ndarray:
    request = Request(material.artifact, options=options, novelty=None, refuse_copies=False)
    jobs = []
    for number, slots in enumerate(given):
        told = {
            name: torch.from_numpy(np.asarray(material.held_out.columns[name][number]).astype(np.int64))
            for name in is_told(material)
        }
        jobs.append(Job(Prompt(stated=None, slots=slots | told), material.seed + number + further))
    made = dict(request.draw(jobs, 0))
    return np.stack([material.codec.decode(made[number]).frames for number in range(len(jobs))])


def _score(key: str, name: str, draws: list[np.ndarray], real: np.ndarray, places: np.ndarray) -> Score | None:
    counted = places.any((1, 2))
    if not counted.any():
        return None
    made, other = draws
    turns = made.copy()
    turns[:, 1::2] = other[:, 1::2]
    found, same, mixed = (flicker(clips[counted], places[counted]) for clips in (made, real, turns))
    return Score(
        key=key,
        name=name,
        interval=mean_interval(found),
        better="near",
        unit="of the range",
        meaning="The mean second difference in time where the real clip stands still.",
        baselines=(("the real clips", mean_interval(same)), ("two draws in turn", mean_interval(mixed))),
    )
