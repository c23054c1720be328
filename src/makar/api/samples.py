"""Samples while a training runs: a few words as an event, a few images as one picture in the run's folder ``samples/``.

The seeds are always the same, so that what changes from one sample to the next is the model. Drawing takes generators of its own and
leaves the bits of the training alone.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from makar.api.stores import OnEvent
from makar.codecs.codec import Codec
from makar.config import Config
from makar.errors import OutOfSpaceError, UnsupportedError
from makar.evaluation.pictures import grid_png
from makar.families.family import Family
from makar.generation.prompts import read_prompts
from makar.generation.request import Slots, decode_example, join_slots

FOLDER = "samples"
IMAGES = 8
LIMITS = {"max_tokens": 48, "steps": 10}
"""Controls that are lowered to so much where a family has them, because a sample must not cost the training more than a moment."""

SHOWN_CHARACTERS = 160


def sample_maker(codec: Codec) -> Callable[[Family], list[Any]]:
    """Return a function that makes a few samples with the current weights.

    Args:
        codec: The codec of the stage.

    Returns:
        From a family to its samples: one text, or ``IMAGES`` images uint8 ``[height, width, channels]``; empty for a stage that makes
        nothing by itself.
    """
    count = IMAGES if "image" in codec.config.media else 1

    def make(family: Family) -> list[Any]:
        try:
            (prompt,) = read_prompts(None, codec, family)
            parts: dict[int, list[Slots]] = {}
            sampler = family.sampler(codec)
            for index, slots, _ in sampler.sample(short_options(family), [prompt.slots] * count, list(range(count))):
                parts.setdefault(index, []).append(slots)
        except UnsupportedError:
            return []  # an autoencoder has nothing to show before the stage after it
        return [decode_example(codec, prompt, join_slots(parts[index]))[0] for index in sorted(parts)]

    return make


def short_options(family: Family) -> Config:
    """Return the sampling controls of a family, those of ``LIMITS`` lowered."""
    options = family.options()
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    lowered = {name: most for name, most in LIMITS.items() if isinstance(values.get(name), int) and values[name] > most}
    return options.changed(**lowered)


def shown_samples(folder: Path, on_event: OnEvent) -> OnEvent:
    """Return a listener that turns ``sample`` events into something to show and passes every other event on.

    Args:
        folder: The run's folder; pictures go to ``samples/STAGE-STEP.png``.
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
    if isinstance(sample[0], str):
        return event | {"message": f"sample at step {event['step']:,}: {_in_one_line(sample[0])}"}
    if not isinstance(sample[0], np.ndarray):
        return event
    path = folder / FOLDER / f"{event['stage']}-{event['step']:09d}.png"
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(grid_png(sample, columns=IMAGES))
    except OSError as error:
        raise OutOfSpaceError(
            f"{path} cannot be written: {error.strerror}", do="free some space and run the same command; it goes on"
        ) from error
    return event | {"path": str(path), "message": f"samples at step {event['step']:,}: {path}"}


def _in_one_line(text: str) -> str:
    # A model writes whatever its tokens hold, and a terminal obeys control characters.
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(plain.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
