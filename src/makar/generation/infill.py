"""Filling holes: the tokens that a model is asked with, and what it writes into a hole.

The order is the one in which the text before the hole stands right before what is written (SPM), so that a hole in the middle of a word is
continued as any prompt is. What does not fit into the context is cut away far from the hole, of what comes after first: a third of the
room is kept for it.

Source: Bavarian et al. 2022, arXiv 2207.14255, section 4.3 (SPM does better where a hole is filled).
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from makar.errors import UnsupportedError, UsageError
from makar.families.transformer.config import TransformerConfig
from makar.generation.able import check_edit
from makar.generation.change import Change, unchanged
from makar.generation.finished_example import shown_text
from makar.generation.hole import Hole
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import TARGET

MADE_SHARE = 0.25
"""Share of the context that what is written may take, where nothing else was asked for."""

LEAST_KNOWN = 8
"""Tokens of the file that have to fit beside what is written."""

_MARKS = 3


@runtime_checkable
class MarksHoles(Protocol):
    """A codec that has tokens around a hole."""

    infill_tokens: tuple[int, ...]

    def encode_text(self, text: str) -> np.ndarray:
        """Return int64 tokens ``[length]``."""


def longest_hole(config: TransformerConfig, asked: int | None) -> int:
    """Return how many tokens may be written into a hole.

    Args:
        config: The model.
        asked: What was asked for; ``None`` takes a quarter of the context.

    Raises:
        UsageError: Nothing of the file would fit beside it.
    """
    most = config.context - _MARKS - LEAST_KNOWN
    if asked is None:
        return max(1, min(most, int(MADE_SHARE * config.context)))
    if asked > most:
        raise UsageError(
            f"{asked} tokens for a hole", expected=f"at most {most}: the model sees {config.context} at a time"
        )
    return asked


def hole_tokens(request: Request, hole: Hole, *, made: int) -> np.ndarray:
    """Return the tokens that ask a model to fill a hole, int64 ``[length]``.

    Args:
        request: The model.
        hole: What is before and after.
        made: Tokens that have to be left for what is written.

    Raises:
        UnsupportedError: The model has not learned to fill holes; the message names recipes that do.
    """
    config, codec = request.family.config, request.codec
    check_edit("infill", config)
    if not isinstance(config, TransformerConfig) or not isinstance(codec, MarksHoles) or not codec.infill_tokens:
        raise UnsupportedError("a codec without tokens around a hole", expected="one that has them")
    if request.syntax is not None:
        raise UnsupportedError(
            f"a hole filled in the syntax of {request.syntax.language}",
            expected="a text that is gone on with at its end",
        )
    room = config.context - _MARKS - made
    before, after = (_encoded(codec, text) for text in _near(hole, 16 * room))
    after = after[: max(room // 3, room - len(before))]
    before = before[max(0, len(before) - (room - len(after))) :]
    prefix, suffix, middle = codec.infill_tokens
    return np.concatenate([[prefix, suffix], after, [middle], before]).astype(np.int64)


def _near(hole: Hole, characters: int) -> tuple[str, str]:
    """Return what is nearest to the hole: a large file is not encoded for a small context."""
    return hole.before[max(0, len(hole.before) - characters) :], hole.after[:characters]


def _encoded(codec: MarksHoles, text: str) -> np.ndarray:
    return np.asarray(codec.encode_text(text), np.int64)


def fill(request: Request, holes: Sequence[Hole], seeds: Sequence[int], *, made: int) -> Iterator[tuple[int, str]]:
    """Yield (position, what the model writes) for every hole, in the order in which they are finished.

    Args:
        request: The model with its controls, ``max_tokens`` equal to ``made``.
        holes: The holes.
        seeds: One a hole.
        made: Tokens that may be written into each.
    """
    jobs = [_job(request, hole, seed, made=made) for hole, seed in zip(holes, seeds, strict=True)]
    for position, slots in request.draw(jobs, 0):
        yield position, holes[position].trimmed(shown_text(slots))


def fill_stepwise(request: Request, hole: Hole, seed: int, *, made: int) -> Iterator[str | None]:
    """Fill one hole and give back the turn meanwhile: ``None`` while it is written, then what the model wrote.

    What is written is only known to belong into the hole when it is over.

    Args:
        request: The model with its controls, ``max_tokens`` equal to ``made``.
        hole: The hole.
        seed: Seed of the draw.
        made: Tokens that may be written.
    """
    for _, slots in request.draw_pieces(_job(request, hole, seed, made=made)):
        yield None if slots is None else hole.trimmed(shown_text(slots))


def _job(request: Request, hole: Hole, seed: int, *, made: int) -> Job:
    tokens = torch.from_numpy(hole_tokens(request, hole, made=made))
    return Job(Prompt(stated=None, slots={TARGET: tokens}), seed)


def filled_job(hole: Hole, content: str, seed: int, stated: dict[str, object]) -> Job:
    """Return the job of a file whose hole was filled, with what its manifest says.

    Args:
        hole: The hole.
        content: The whole new file.
        seed: Seed of the draw.
        stated: Operation, settings and source.
    """
    start = len(hole.before)
    made = {"made_characters": [start, len(content) - len(hole.after)]}
    return Job(Prompt(stated=None, slots={}, change=Change(finish=unchanged, stated=stated | made)), seed)
