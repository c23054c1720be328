"""POST /v1/audio/transcriptions: what is said in a recording, as text, with times, or as subtitles; and why nothing is translated.

Decisions. (1) What a model cannot honour is refused and not left out: a prompt, a temperature, a stream, likelihoods of tokens, speakers.
(2) ``language`` is told to a Whisper, which guesses it otherwise; of other models it is what the client says it is: they know the letters
that they learned and no name for their language. (3) A segment is what is said between two pauses, or what a Whisper writes as one; figures
of Whisper's decoder that there are none of here (seek, compression ratio) are 0 and 1. (4) A model that does not know when each word is
said, as a Whisper, is not asked for it.
"""

import base64
import dataclasses
import math
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from makar.config import Config, setting
from makar.errors import UnsupportedError, UsageError
from makar.serving.bodies import ignored_header, read_fields
from makar.serving.front import Front, answer, attended, front_of, leased, merged, only_model
from makar.serving.image_fields import form_values
from makar.serving.process import Event
from makar.serving.uploads import read_form

WORDS, SEGMENTS = "word", "segment"
GRANULARITIES = "timestamp_granularities[]"
UNKNOWN_LANGUAGE = "unknown"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranscriptionFields(Config):
    """Form of POST /v1/audio/transcriptions, beside its file."""

    kind: ClassVar[str] = ""

    model: str | None = setting(
        None, meaning="name of a model that writes down speech; the only one where there is one"
    )
    response_format: str = setting(
        "json", meaning="form of the answer", choices=("json", "text", "srt", "verbose_json", "vtt")
    )
    language: str | None = setting(
        None, meaning="the language that is spoken: told to a model that knows several, said again by verbose_json"
    )
    prompt: str | None = setting(None, meaning="nothing leads the model: empty, or none")
    temperature: float = setting(0.0, meaning="the likeliest transcript is given: 0", minimum=0.0, maximum=1.0)
    stream: bool = setting(False, meaning="the transcript comes whole: false")
    chunking_strategy: str | None = setting(
        None, meaning="a long recording is always heard in parts that overlap", choices=("auto",)
    )


async def transcriptions(request: Request) -> Response:
    """Write down a recording."""
    texts, files = await read_form(request)
    if [name for name, _ in files] != ["file"]:
        raise UsageError(f"{len(files)} files", expected="one recording named file")
    # A form may say a name several times, which ``texts`` does not keep.
    asked = {str(one) for one in (await request.form()).getlist(GRANULARITIES)}
    plain = {name: text for name, text in texts.items() if name != GRANULARITIES}
    fields, ignored = read_fields(TranscriptionFields, form_values(TranscriptionFields, plain))
    _check(fields, plain, asked)
    content = base64.b64encode(await files[0][1].read()).decode("ascii")
    event = await attended(request, _heard(front_of(request), fields, content))
    return _answered(event, fields, asked, ignored_header(ignored))


async def translations(request: Request) -> Response:
    """Refuse: what is heard is written in its own language."""
    del request
    raise UnsupportedError(
        "a translation of speech",
        expected="POST /v1/audio/transcriptions, then POST /v1/chat/completions with a model that translates",
    )


def _check(fields: TranscriptionFields, plain: dict[str, str], asked: set[str]) -> None:
    refused = {
        "a prompt to lead the transcript": bool(fields.prompt),
        "a temperature": fields.temperature != 0,
        "a stream": fields.stream,
        "likelihoods of tokens": any(name in plain for name in ("include[]", "include")),
        "names or examples of speakers": any(name.startswith("known_speaker") for name in plain),
    }
    if came := [what for what, is_asked in refused.items() if is_asked]:
        raise UnsupportedError(came[0], expected="the file, and a form of the answer")
    if asked - {WORDS, SEGMENTS}:
        raise UsageError(f"times of {sorted(asked)[0][:40]!a}", expected=f"{WORDS} or {SEGMENTS}")
    if asked and fields.response_format != "verbose_json":
        raise UsageError(f"times in {fields.response_format}", expected="response_format verbose_json, srt or vtt")


async def _heard(front: Front, fields: TranscriptionFields, content: str) -> Event:
    ask = {"do": "transcribe", "sound": content, "language": fields.language}
    async with leased(front, fields.model or only_model(front, "sound", hears=True)) as (_, process):
        # To the end, because work that is left before it is over is cancelled.
        (event,) = [one async for _, one in merged(process, [ask])]
    return event


def _answered(event: Event, fields: TranscriptionFields, asked: set[str], headers: dict[str, str]) -> Response:
    form, usage = fields.response_format, {"type": "duration", "seconds": event["seconds"]}
    if form == "json":
        return answer({"text": event["text"], "usage": usage}, headers)
    if form == "verbose_json":
        values: dict[str, Any] = {
            "task": "transcribe",
            "language": fields.language or event.get("language") or UNKNOWN_LANGUAGE,
            "duration": event["seconds"],
            "text": event["text"],
            "usage": usage,
        }
        if WORDS in asked and "words" not in event:
            raise UnsupportedError("times of words by a model that knows those of segments", expected=SEGMENTS)
        if WORDS in asked:
            values["words"] = event["words"]
        if SEGMENTS in asked or not asked:
            values["segments"] = [_segment(number, one) for number, one in enumerate(event["segments"])]
        return answer(values, headers)
    if form == "text":
        return PlainTextResponse(event["text"] + "\n", headers=headers)
    return PlainTextResponse(subtitles(event["segments"], form=form), headers=headers)


def _segment(number: int, segment: dict[str, Any]) -> dict[str, Any]:
    sure = math.log(max(segment["probability"], 1e-9))
    stated = {"id": number, "start": segment["start"], "end": segment["end"], "text": segment["text"]}
    return stated | {
        "avg_logprob": sure, "no_speech_prob": segment.get("no_speech", 0.0), "compression_ratio": 1.0,
        "temperature": 0.0, "seek": 0, "tokens": [],
    }  # fmt: skip


def subtitles(segments: list[dict[str, Any]], *, form: str) -> str:
    """Return subtitles, one a segment.

    Args:
        segments: ``text``, ``start`` and ``end`` in seconds.
        form: ``"srt"`` (SubRip) or ``"vtt"`` (WebVTT).

    >>> subtitles([{"text": "hello", "start": 0.5, "end": 61.25}], form="srt")
    '1\\n00:00:00,500 --> 00:01:01,250\\nhello\\n\\n'
    """
    point = "," if form == "srt" else "."
    shown = [f"{_clock(one['start'], point)} --> {_clock(one['end'], point)}\n{one['text']}\n\n" for one in segments]
    if form == "vtt":
        return "WEBVTT\n\n" + "".join(shown)
    return "".join(f"{number}\n{text}" for number, text in enumerate(shown, 1))


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
