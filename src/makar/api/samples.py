"""Samples while a training runs: a few words as an event, and words, or one picture of a few images or clips, in the run's ``samples/``.

They are drawn by ``makar.generation.preview``.
"""

from pathlib import Path
from typing import Any

import numpy as np

from makar.api.stores import OnEvent
from makar.data.backbone import Backbone
from makar.data.clip import Clip, strip_of
from makar.errors import OutOfSpaceError
from makar.evaluation.pictures import grid_png
from makar.generation.backbone_picture import backbone_picture
from makar.generation.preview import IMAGES

FOLDER = "samples"
SHOWN_CHARACTERS = 160


def shown_samples(folder: Path, on_event: OnEvent) -> OnEvent:
    """Return a listener that turns ``sample`` events into something to show and passes every other event on.

    Args:
        folder: The run's folder; samples go to ``samples/STAGE-STEP.png`` and ``.txt``.
        on_event: Gets ``sample`` events with ``message``, and ``path`` where there is a picture.
    """

    def listen(event: dict[str, Any]) -> None:
        if event.get("event") != "sample":
            on_event(event)
        elif event["sample"]:
            on_event(_shown(folder, event))

    return listen


def _shown(folder: Path, event: dict[str, Any]) -> dict[str, Any]:
    sample = event["sample"]
    place = folder / FOLDER / f"{event['stage']}-{event['step']:09d}"
    try:
        if isinstance(sample[0], str):
            _write(place.with_name(f"{place.name}.txt"), sample[0].encode("utf-8", "replace"))
            return event | {"message": f"sample at step {event['step']:,}: {_in_one_line(sample[0])}"}
        if isinstance(sample[0], Clip):
            sample = [strip_of(clip.frames) for clip in sample]
        if isinstance(sample[0], Backbone):
            sample = [backbone_picture(backbone) for backbone in sample]
        if not isinstance(sample[0], np.ndarray):
            return event
        path = place.with_name(f"{place.name}.png")
        _write(path, grid_png(sample, columns=1 if isinstance(event["sample"][0], Clip) else IMAGES))
    except OSError as error:
        raise OutOfSpaceError(
            f"{place} cannot be written: {error.strerror}", do="free some space and run the same command; it goes on"
        ) from error
    return event | {"path": str(path), "message": f"samples at step {event['step']:,}: {path}"}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _in_one_line(text: str) -> str:
    # A model writes whatever its tokens hold, and a terminal obeys control characters.
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(plain.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
