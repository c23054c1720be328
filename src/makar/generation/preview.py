"""A few samples of a model that is still being trained, for whoever watches: no assets, and nothing that is kept is signed.

The seeds are always the same, so that what changes from one sample to the next is the model. Drawing takes generators of its own and
leaves the bits of the training alone.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from makar.codecs.codec import Codec
from makar.config import Config
from makar.errors import UnsupportedError
from makar.families.family import Family
from makar.generation.finished_example import Slots, decode_example, join_slots
from makar.generation.prompts import read_prompts

IMAGES, CLIPS = 8, 4
LIMITS = {"max_tokens": 48, "steps": 10}
"""Controls that are lowered to so much where a family has them, because a sample must not cost the training more than a moment."""


def sample_maker(codec: Codec) -> Callable[[Family], list[Any]]:
    """Return a function that makes a few samples with the current weights.

    Args:
        codec: The codec of the stage.

    Returns:
        From a family to its samples: one text, or ``IMAGES`` images uint8 ``[height, width, channels]``, or ``CLIPS`` clips; empty
        for a stage that makes nothing by itself.
    """
    media = codec.config.content_media
    count = IMAGES if "image" in media else CLIPS if "video" in media else 1

    def make(family: Family) -> list[Any]:
        try:
            (prompt,) = read_prompts(None, codec, family)
            parts: dict[int, list[Slots]] = {}
            sampler = family.sampler(codec)
            for index, slots, _ in sampler.sample(short_options(family), [prompt.slots] * count, list(range(count))):
                parts.setdefault(index, []).append(slots)
            return [decode_example(codec, prompt, join_slots(parts[index]))[0] for index in sorted(parts)]
        except UnsupportedError:
            return []  # an autoencoder or a prior has nothing to show before the stage after it

    return make


def short_options(family: Family) -> Config:
    """Return the sampling controls of a family, those of ``LIMITS`` lowered."""
    options = family.options()
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    # None leaves a control to the model, which does not know that it is watched.
    lowered = {name: most for name, most in LIMITS.items() if name in values and not 0 < (values[name] or 0) <= most}
    return options.changed(**lowered)
