"""``edit`` for models of music: three parts written to one that is given, or a piece that goes on where it ends.

A given part runs ahead of the others by as much as in training (``makar.codecs.music``), so the model sees what it will do. Where a
word of it, or the mark of a quarter, has to stand, nothing else can be drawn; elsewhere only pitches of the part whose turn it is. So
every draw is four whole parts, and the given one comes out note for note. It may come from a piece of four parts or be the highest
notes of any piece.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.music import MusicCodec
from makar.config import Config, setting
from makar.data.keys import key_of
from makar.data.midi import LARGEST_BYTES, read_midi
from makar.data.score import (
    BEAT,
    DRUMS,
    HIGHEST,
    LOWEST,
    VOICE_NAMES,
    VOICES,
    Score,
    notation_of,
    score_of_midi,
    score_of_voices,
    voices_of,
)
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.edit_request import EditRequest
from makar.generation.finishing import Finishing
from makar.generation.following import Following
from makar.generation.generate import make_assets
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompts import Prompt, Prompts
from makar.generation.request import Request
from makar.generation.synthesiser import read_player
from makar.provenance.content import describe_content
from makar.tensor_spec import TARGET

LONGEST_STEPS = 4000
"""Sixteenths of a part that others are written to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicEditRequest(Config):
    """What is to be done to a piece of music."""

    kind: ClassVar[str] = ""

    keep: str | None = setting(
        None, meaning="the part that stays: soprano, alto, tenor or bass; the others are written to it"
    )
    go_on: bool = setting(False, meaning="go on where the piece ends")


def edit_music(
    artifact: Artifact,
    how: EditRequest | Mapping[str, Any],
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[Asset]:
    """Write parts to one that is given, or go on with a piece.

    Args:
        artifact: The model.
        how: The file (``image``) and what is to be done with it; see ``MusicEditRequest``.
        prompts: What is told: ``key=Am style=chorales``; a key that is not told is found in what is given.
        count: Variants.
        seed: Seed of the first variant.
        options: Sampling controls by name.
        novelty: Compares what the model wrote with the training data.

    Yields:
        Signed assets.

    Raises:
        UsageError: There is no file, or nothing, or both is asked for.
        UnsupportedError: Something is asked for that is for another medium.
        DataError: The file is no MIDI file.
    """
    asked, source = _read_request(how)
    check_count_and_seed(count, seed)
    codec = artifact.codec()
    assert isinstance(codec, MusicCodec), "music has one codec"
    score = _read_piece(source)
    told, begun = codec.told_in(_told(prompts))
    if begun:
        raise UnsupportedError(f'"{begun[:40]}" beside a piece that is given', expected="key=, style= or instruments=")
    if not any(name.startswith("<|key:") for name in told):
        told.append(f"<|key:{key_of(score.notes)}|>")
    controls = {"temperature": 1.0} | {name: value for name, value in (options or {}).items() if value is not None}
    player, sampling = read_player(controls)
    stated: dict[str, Any] = {"settings": asked.to_dictionary(), "source": describe_content(notation_of(score))}
    if asked.go_on:
        finishing = Finishing(player=player)
        request = Request(artifact, options=sampling, novelty=novelty, refuse_copies=False, finishing=finishing)
        given = np.array(codec.numbers([*told, *codec.reminded(told, notation_of(score).split())]), np.int64)
        change = Change(finish=unchanged, stated={"operation": "go on", **stated})
        prompt = Prompt(stated=None, slots={TARGET: torch.from_numpy(given)}, change=change)
        return make_assets(request, [Job(prompt, seed + number) for number in range(count)])
    letter = VOICES[VOICE_NAMES.index(asked.keep or "")]
    seeds = [seed + number for number in range(count)]
    return _harmonised(
        artifact, _only(score, letter), letter, told, controls=controls, seeds=seeds, novelty=novelty, stated=stated
    )


def _harmonised(
    artifact: Artifact,
    given: Score,
    letter: str,
    told: list[str],
    *,
    controls: dict[str, Any],
    seeds: list[int],
    novelty: NoveltyCheck | None,
    stated: dict[str, Any],
) -> Iterator[Asset]:
    codec = artifact.codec()
    assert isinstance(codec, MusicCodec), "music has one codec"
    head, *steps = codec.leading_plan(given, letter)
    prompt = np.array([*codec.numbers(told), codec.leads_token(letter), *codec.numbers(head)], np.int64)
    free = {voice: codec.numbers([f"{voice}{pitch}" for pitch in range(LOWEST, HIGHEST + 1)]) for voice in VOICES}
    # The words of the given part and the marks stand where they are; where another part rests in the plan it is to be written.
    words = codec.reminded(told, [*head, *(word for step in steps for word in step)])[len(head) :]
    places = [free[word[0]] if word[0] in free and word != BEAT else codec.numbers([word]) for word in words]
    player, sampling = read_player(controls)
    request = Request(
        artifact,
        options=sampling | {"max_tokens": len(places)},
        novelty=novelty,
        refuse_copies=False,
        finishing=Finishing(player=player),
        hook=Following(places, given=len(prompt)),
    )
    change = Change(finish=unchanged, stated={"operation": "harmonise", **stated})
    job = Prompt(stated=None, slots={TARGET: torch.from_numpy(prompt)}, change=change)
    jobs = [Job(job, seed) for seed in seeds]
    waiting: dict[int, str] = {}
    given_out = 0
    for position, slots in request.draw(jobs, 0):
        waiting[position] = notation_of(_together(given, letter, codec, slots[TARGET]))
        while given_out in waiting:
            content = waiting.pop(given_out)
            yield request.asset(jobs[given_out], request.judged(content, content), 0)
            given_out += 1


def _together(given: Score, letter: str, codec: MusicCodec, tokens: np.ndarray) -> Score:
    rows = voices_of(given)
    for voice, row in zip(VOICES, rows, strict=True):
        if voice != letter:
            row.clear()
    for token in tokens.tolist():
        name = str(codec.tokenizer.id_to_token(int(token)))
        if name[0] in VOICES and name != BEAT:
            rows[VOICES.index(name[0])].append(int(name[1:]))
    return score_of_voices(rows, metre=given.metre, tempo=given.tempo)


def _only(score: Score, letter: str) -> Score:
    """Return a grid of which one part is given: that of a piece of four, else the highest notes of any piece."""
    part = VOICES.index(letter)
    if score.is_grid:
        row = voices_of(score)[part]
    else:
        row = [None] * score.steps
        for note in sorted(score.notes, key=lambda note: (note.start, note.pitch)):
            if note.program != DRUMS:
                row[note.start : note.end] = [note.pitch] * (min(note.end, score.steps) - note.start)
    if not 0 < len(row) <= LONGEST_STEPS:
        raise UsageError(f"a part of {len(row)} sixteenths", expected=f"1 to {LONGEST_STEPS}")
    outside = sorted({pitch for pitch in row if pitch is not None and not LOWEST <= pitch <= HIGHEST})
    if outside or not any(pitch is not None for pitch in row):
        what = f"the pitch {outside[0]}" if outside else "no note"
        raise UnsupportedError(f"a part with {what}", expected=f"pitches {LOWEST} to {HIGHEST}")
    rows: list[list[int | None]] = [[None] * len(row) for _ in VOICES]
    rows[part] = row
    return score_of_voices(rows, metre=score.metre, tempo=score.tempo)


def _read_request(how: EditRequest | Mapping[str, Any]) -> tuple[MusicEditRequest, Any]:
    words = dict(how.to_dictionary() if isinstance(how, EditRequest) else how)
    source = words.pop("image", None)
    given = {name: value for name, value in words.items() if value not in (None, False, 0)}
    try:
        asked: MusicEditRequest = MusicEditRequest.from_dictionary(given)
    except UnknownNameError as error:
        raise UnsupportedError(f'"{error.name}" for a piece of music', expected="for music: keep, go_on") from error
    if (asked.keep is None) == (not asked.go_on):
        raise UsageError(
            "both a part to keep and to go on" if asked.go_on else "nothing says what to change",
            expected="keep or go_on",
        )
    if asked.keep is not None and asked.keep not in VOICE_NAMES:
        raise UnknownNameError("part", asked.keep, VOICE_NAMES)
    if source is None:
        raise UsageError("there is no piece to change", expected="a MIDI file")
    return asked, source


def _read_piece(source: Any) -> Score:
    if isinstance(source, bytes):
        return score_of_midi(read_midi(source))
    if not isinstance(source, str | Path) or not Path(source).is_file():
        raise UsageError(f"there is no file {source}", expected="a MIDI file")
    with Path(source).open("rb") as file:
        return score_of_midi(read_midi(file.read(LARGEST_BYTES + 1)))


def _told(prompts: Prompts) -> str:
    if prompts is None:
        return ""
    if not isinstance(prompts, str):
        raise UnsupportedError(f"the prompt {prompts!r} for a piece of music", expected="a text: key=Am style=NAME")
    return prompts
