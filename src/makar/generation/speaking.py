"""``generate`` for models of speech: a text in parts that the model can speak at once, one after the other in one recording."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.config import Config
from makar.data.sound import Sound
from makar.errors import ConfigError, CopyRefusedError, UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.guards import MOST_ATTEMPTS, Draft, first_refusal
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompt_file import Filled
from makar.generation.prompts import Prompt, Prompts
from makar.generation.request import Request

LONGEST_CHARACTERS = 20_000
SLOWEST, FASTEST = 0.5, 2.0
SPEED = "speed"

Script = dict[str, np.ndarray]
"""What a model is told of a part of a text, by slot."""


@runtime_checkable
class Speaks(Protocol):
    """A codec that knows what a model is told of a text to speak it."""

    def scripts(self, text: str, *, speed: float) -> list[dict[str, np.ndarray]]:
        """Return the slots of every part of a text that is spoken at once: what is said of every frame, or its words."""


def read_speed(options: Mapping[str, Any] | Config | None) -> tuple[float | None, dict[str, Any] | Config]:
    """Take the speed out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.

    Returns:
        The speed, ``None`` where none was given, and the controls that are left.

    Raises:
        ConfigError: It is out of range.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    speed = rest.pop(SPEED, None)
    if speed is not None and not (isinstance(speed, int | float) and SLOWEST <= speed <= FASTEST):
        raise ConfigError(
            f"speed is {speed!r}", expected=f"{SLOWEST:g} to {FASTEST:g}; 1 is as fast as in the recordings"
        )
    return speed, rest


def speak(request: Request, prompts: Prompts, *, count: int, seed: int, speed: float | None) -> Iterator[Asset]:
    """Speak texts.

    Args:
        request: The request in force, of a model of speech.
        prompts: A text, or several.
        count: Recordings of each.
        seed: Seed of the first recording of a text; the next has ``seed + 1``.
        speed: 2 is twice as fast; ``None`` as fast as in the recordings.

    Yields:
        Signed recordings.

    Raises:
        UnsupportedError: There is no text, or something else.
        UsageError: A text is too long or has no words.
        CopyRefusedError: Every draw was too close to the training data.
    """
    check_count_and_seed(count, seed)
    codec = request.codec
    assert isinstance(codec, Speaks), "only models of speech come here"
    texts = _texts(prompts)
    scripts = [codec.scripts(text, speed=speed or 1.0) for text in texts]
    return _spoken(request, texts, scripts, seeds=[seed + number for number in range(count)], speed=speed)


def _spoken(
    request: Request, texts: list[str], scripts: list[list[Script]], *, seeds: list[int], speed: float | None
) -> Iterator[Asset]:
    for text, parts in zip(texts, scripts, strict=True):
        stated = {"operation": "speak", "parts": len(parts), "speed": speed or 1.0}
        change = Change(finish=unchanged, stated=stated, is_composite=False)
        for seed in seeds:
            draft, attempt = _drafted(request, text, parts, seed)
            job = Job(Prompt(stated=text, slots={}, change=change, is_answered=True), seed)
            yield request.asset(job, draft, attempt)


def _drafted(request: Request, text: str, parts: list[Script], seed: int) -> tuple[Draft, int]:
    """Return a recording that no guard refuses, and which attempt it was."""
    draft, _, attempt = drafted_parts(request, text, parts, seed)
    return draft, attempt


def drafted_parts(request: Request, text: str, parts: list[Script], seed: int) -> tuple[Draft, list[Sound], int]:
    """Return a recording that no guard refuses, the sounds of its parts, and which attempt it was.

    Args:
        request: The request in force, of a model of speech.
        text: What is spoken.
        parts: What the model is told, part by part.
        seed: Seed of the recording.

    Raises:
        CopyRefusedError: Every draw was refused.
    """
    jobs = [
        Job(Prompt(stated=text, slots={name: torch.from_numpy(value) for name, value in part.items()}), seed)
        for part in parts
    ]
    refusal: str | None = ""
    for attempt in range(MOST_ATTEMPTS):
        made = dict(request.draw(jobs, attempt))
        sounds: list[Sound] = [request.codec.decode(made[place]) for place in range(len(jobs))]
        judged = [request.judged(sound, sound) for sound in sounds]
        # Of a long text the part counts that is nearest to the training data.
        nearest = min(judged, key=how_new)
        whole = Sound(np.concatenate([sound.samples for sound in sounds]), sounds[0].rate_hz)
        draft = dataclasses.replace(nearest, content=whole, new_content=whole)
        refusal = first_refusal(request.guards, draft)
        if refusal is None:
            return draft, sounds, attempt
    raise CopyRefusedError(
        f"all {MOST_ATTEMPTS} draws for seed {seed} were refused: {refusal}", expected="speech that passes every guard"
    )


def how_new(draft: Draft) -> float:
    """Return how far a draft is from the training data, 0 to 1; 1 where nothing was compared."""
    return 1.0 if draft.novelty is None else float(draft.novelty.to_dictionary()["score"])


def _texts(prompts: Prompts) -> list[str]:
    if prompts is None:
        raise UnsupportedError("no text was given, and this model speaks one", expected="a text")
    listed: list[Any] = [prompts] if isinstance(prompts, str | int | Filled) else list(prompts)
    texts: list[str] = []
    for item in listed:
        if not isinstance(item, str) or not item.strip():
            raise UnsupportedError(f"the prompt {item!r}", expected="a text to be spoken")
        if len(item) > LONGEST_CHARACTERS:
            raise UsageError(f"a text of {len(item)} characters", expected=f"at most {LONGEST_CHARACTERS}")
        texts.append(item)
    if not texts:
        raise UnsupportedError("an empty list of texts", expected="at least one")
    return texts
