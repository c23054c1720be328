"""A script read aloud by one or several models of speech: one recording with chapters, evened levels and one manifest.

Every line is drawn, judged and guarded as any other speech (``speaking``); what comes out is as new as its least new line. The manifest is
that of the first voice and names all of them by their hashes, with what the people behind them agreed to. Between lines of one voice,
lines of two and chapters there are longer and longer pauses.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.codecs.hearing_config import HearingConfig
from makar.codecs.prosody import AS_IT_IS, Manner
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.spoken_text_config import SpokenTextCodecConfig
from makar.codecs.units import KINDS
from makar.data.sound import Sound, resampled
from makar.data.wave_file import on_grid
from makar.errors import UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.cloning import read_example
from makar.generation.guards import Draft, NoveltyCheck
from makar.generation.jobs import LARGEST_SEED, Job
from makar.generation.levels import TARGET_DB, evened
from makar.generation.prompts import NamesClasses, Prompt
from makar.generation.recording import recorded
from makar.generation.request import Request
from makar.generation.script import MOST_VOICES, Script, read_script
from makar.generation.speaking import Script as Told
from makar.generation.speaking import Speaks, asked_voice, drafted_parts, how_new, read_manner
from makar.generation.vocoding import read_vocoder
from makar.provenance.embedding import SOURCE_TYPE
from makar.tensor_spec import SOURCE

SAME_VOICE_SECONDS, OTHER_VOICE_SECONDS, CHAPTER_SECONDS = 0.3, 0.5, 1.2
"""Silence before a line."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Voice:
    """Who speaks.

    Attributes:
        name: The name in the script.
        artifact: A model of speech.
        label: Which of its voices, where it has several.
        novelty: Compares with what it learned from; ``None`` where that is not here.
    """

    name: str
    artifact: Artifact
    label: str | None = None
    novelty: NoveltyCheck | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spoken:
    """When a unit of a text is spoken.

    Attributes:
        unit: A phone or a letter, of ``makar.codecs.units.KINDS``.
        start: In seconds.
        end: In seconds.
    """

    unit: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """A script that was read aloud, before it is signed.

    Attributes:
        sound: The whole.
        units: Every unit that is spoken, in order, of models of ours.
        is_timed: Whether it is known of every line when its units are spoken.
        chapters: ``title``, ``start`` and ``end`` in seconds.
        draft: The least new of its lines, with the whole as its content.
        attempt: The latest attempt at a line that counted.
        request: That of the first voice, which signs.
        stated: What the manifest says of voices and chapters.
        text: The script.
        seed: Seed of the first line.
    """

    sound: Sound
    units: tuple[Spoken, ...]
    is_timed: bool
    chapters: tuple[dict[str, Any], ...]
    draft: Draft
    attempt: int
    request: Request
    stated: dict[str, Any]
    text: str
    seed: int

    def signed(self, content: Any, **stated: Any) -> Asset:
        """Return an asset of this reading.

        Args:
            content: The recording, or what shows it.
            stated: What else its manifest says of how it was made.
        """
        change = Change(finish=unchanged, stated={**self.stated, **stated}, is_composite=False)
        job = Job(Prompt(stated=self.text, slots={}, change=change, is_answered=True), self.seed)
        return self.request.asset(
            job, dataclasses.replace(self.draft, content=content, new_content=self.sound), self.attempt
        )


def say_nothing(spoken: int, lines: int) -> None:
    """Tell nobody how far a reading is."""


def read_aloud(
    voices: Sequence[Voice],
    text: str,
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    tell: Callable[[int, int], None] = say_nothing,
) -> Reading:
    """Read a script aloud.

    Args:
        voices: Who speaks; the first where the script names nobody.
        text: The script, of ``makar.generation.script``.
        seed: Seed of the first line; the next has the next.
        options: Controls by name, those of the models, ``speed``, ``pitch`` and ``vocoder``.
        tell: Told how many lines are spoken and how many there are, at first that none is; what it raises ends the reading.

    Returns:
        The reading; ``spoken_asset`` signs its recording.

    Raises:
        UsageError: The script says nothing, names somebody who has no voice, or a name comes twice.
        UnsupportedError: A model does not speak, or cannot honour a control.
        ConsentError: Somebody whose voice it is took the consent back.
        CopyRefusedError: Every draw of a line was too close to the training data.
    """
    names = [voice.name.casefold() for voice in voices]
    if not 1 <= len(names) <= MOST_VOICES or len(set(names)) < len(names):
        raise UsageError(f"the voices {', '.join(names) or '(none)'}", expected=f"1 to {MOST_VOICES} different ones")
    if not 0 <= seed < LARGEST_SEED:
        raise UsageError(f"the seed {seed}", expected=f"0 to {LARGEST_SEED - 1}")
    script = read_script(text, [voice.name for voice in voices])
    manner, controls = read_manner(options)
    manner = manner or AS_IT_IS
    if manner.energy:
        raise UnsupportedError("an energy for a script, all of whose lines are made equally loud", expected="no energy")
    example, controls = read_example(controls)
    if example is not None:
        raise UnsupportedError("an example of a voice for a script", expected="voices that models learned")
    vocoder, controls = read_vocoder(controls)
    assert isinstance(controls, dict), "controls by name stay controls by name"
    requests = [_request(voice, controls) for voice in voices]
    if vocoder is not None:
        for request in requests:
            request.use_vocoder(vocoder)
    rate = max(_rate(request) for request in requests)
    pieces: list[np.ndarray] = []
    units: list[Spoken] = []
    drafts: list[tuple[Draft, int]] = []
    starts: list[float] = []
    length = 0
    # What cannot be spoken is said before the first line is.
    told = [_told(requests[line.voice], line.text, manner) for line in script.lines]
    tell(0, len(script.lines))
    for number, (line, parts) in enumerate(zip(script.lines, told, strict=True)):
        request = requests[line.voice]
        draft, sounds, attempt = drafted_parts(request, line.text, parts, seed + number)
        drafts.append((draft, attempt))
        silence = np.zeros((round(_pause(script, number) * rate), 1), np.float32)
        length += len(silence)
        starts.append(length / rate)
        said = evened(resampled(draft.content, rate)).samples
        units += _units(parts, sounds, request, begin=length / rate)
        pieces += [silence, said]
        length += len(said)
        tell(number + 1, len(script.lines))
    sound = Sound(on_grid(np.concatenate(pieces)), rate)
    chapters = _chapters(script, starts, sound.seconds)
    least = min((draft for draft, _ in drafts), key=how_new)
    return Reading(
        sound=sound,
        units=tuple(units),
        is_timed=all(isinstance(request.codec.config, SpeechCodecConfig) for request in requests),
        chapters=chapters,
        draft=least,
        attempt=max(attempt for _, attempt in drafts),
        request=requests[0],
        stated={
            "operation": "read aloud",
            "speed": manner.speed,
            "pitch": manner.pitch,
            "lines": len(script.lines),
            "level_db": TARGET_DB,
            "voices": [_stated_voice(voice) for voice in voices],
            "chapters": list(chapters),
        },
        text=text,
        seed=seed,
    )


def spoken_asset(reading: Reading) -> Asset:
    """Return the signed recording of a reading, with its chapters as marks in the file."""
    marks = [(round(one["start"] * reading.sound.rate_hz), one["title"]) for one in reading.chapters]
    return reading.signed(recorded(reading.sound, SOURCE_TYPE, marks=marks))


def _request(voice: Voice, controls: dict[str, Any]) -> Request:
    own = {} if voice.label is None else {"label": voice.label}
    request = Request(voice.artifact, options=controls | own, novelty=voice.novelty, refuse_copies=False)
    if not isinstance(request.codec, Speaks):
        raise UnsupportedError(
            f"{voice.artifact.name} as a voice, which does not speak",
            expected='a model of the recipe "speech" or "speech-voices"',
        )
    codec = request.codec
    names = codec.class_names if isinstance(codec, NamesClasses) else ()
    if voice.label is None and len(names) > 1 and isinstance(codec.config, SpeechCodecConfig):
        # Left open, every line would be spoken by a voice of its own; checkpoints of others take their first.
        raise UsageError(
            f"{voice.artifact.name} speaks with {len(names)} voices, and none is named",
            expected=f"one of: {', '.join(names)}",
            do=f"--voice {voice.name}=MODEL:{names[0]}",
        )
    return request


def _told(request: Request, text: str, manner: Manner) -> list[Told]:
    codec = request.codec
    assert isinstance(codec, Speaks), "checked when the request was made"
    return codec.scripts(text, manner=manner, voice=asked_voice(request))


def _rate(request: Request) -> int:
    config = request.codec.config
    assert isinstance(config, HearingConfig | SpokenTextCodecConfig), "what speaks is a codec of sounds"
    return config.rate_hz


def _pause(script: Script, number: int) -> float:
    line = script.lines[number]
    before = script.lines[number - 1] if number else line
    if line.chapter != before.chapter:
        return CHAPTER_SECONDS
    return OTHER_VOICE_SECONDS if line.voice != before.voice else SAME_VOICE_SECONDS


def _units(parts: list[Told], sounds: list[Sound], request: Request, *, begin: float) -> list[Spoken]:
    """Return when each unit of a line is spoken, from what the model was told of every frame; nothing of a checkpoint of others."""
    hearing = request.codec.config
    if not isinstance(hearing, SpeechCodecConfig):
        return []
    names, frame = KINDS[hearing.units], hearing.hop / hearing.rate_hz
    found: list[Spoken] = []
    for part, sound in zip(parts, sounds, strict=True):
        planes = part[SOURCE]
        numbers = planes[: hearing.unit_planes, 0].argmax(axis=0)[: round(sound.seconds / frame)]
        # The same unit twice is told apart by how far it is through.
        far = planes[hearing.unit_planes, 0][: len(numbers)]
        breaks = np.flatnonzero((np.diff(numbers) != 0) | (np.diff(far) < 0)) + 1
        edges = [0, *breaks.tolist(), len(numbers)]
        found += [
            Spoken(unit=names[numbers[first]], start=begin + first * frame, end=begin + after * frame)
            for first, after in itertools.pairwise(edges)
            if first < after
        ]
        begin += sound.seconds
    return found


def _chapters(script: Script, starts: list[float], seconds: float) -> tuple[dict[str, Any], ...]:
    """Return the chapters that have lines; one without a title that is alone is none."""
    first = {line.chapter: start for line, start in reversed(list(zip(script.lines, starts, strict=True)))}
    numbers = sorted(first)
    if len(numbers) == 1 and not script.titles[numbers[0]]:
        return ()
    ends = [first[number] for number in numbers[1:]] + [seconds]
    return tuple(
        {"title": script.titles[number], "start": round(first[number], 3), "end": round(end, 3)}
        for number, end in zip(numbers, ends, strict=True)
    )


def _stated_voice(voice: Voice) -> dict[str, Any]:
    data = voice.artifact.manifest["data"]
    artifact = voice.artifact
    stated = {"name": voice.name, "artifact": artifact.hash, "model": artifact.name, "label": voice.label}
    return stated | ({"consent": data["consent"]} if "consent" in data else {})
