"""/makar/v1/readings: a script or document becomes a recording with chapters, or a film of a face that says it, in the background.

Decisions. (1) The words are those of ``makar speak``; its files come as parts of the form, voices and a vocoder are models of this
server by their names. (2) What can be known without a model is refused at once: the script, who has no voice in it, the models; the rest
is said of the reading. (3) A form that holds no sound is not offered, because one file is given. (4) The result is an asset of the
library; ``/content`` gives it too, also where the library could not keep it. (5) ``POST /makar/v1/scripts`` says what a script or a
document comes to before anything is spoken: its text, who may speak, lines and chapters.
"""

import asyncio
import base64
import dataclasses
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from makar.config import Config, setting
from makar.errors import UsageError
from makar.generation.script import MOST_VOICES, Script, read_script, speakers
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of, now, seed_of
from makar.serving.image_fields import form_values
from makar.serving.problems import Problem
from makar.serving.ranges import file_answer
from makar.serving.studio.readings import FILES, Readings, lines_of, source_of
from makar.serving.uploads import page, read_form, word_of

DOCUMENT = "document"
PARTS = (DOCUMENT, *FILES)
MOST_FILE_BYTES = {"drawing": 8 << 20, "consent": 1 << 20}
LONGEST_TITLE = 80
NOBODY = ""
"""Who speaks before somebody is named."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingFields(Config):
    """Body of POST /makar/v1/readings; of a form its texts."""

    kind: ClassVar[str] = ""

    voices: dict = setting(
        meaning="names in the script to MODEL, or MODEL:LABEL for one of its voices; the first speaks where none is named"
    )
    script: str | None = setting(None, meaning="the text, with lines NAME: text and headings; or a file document")
    form: str = setting(
        "wav", meaning="a recording, or a film with a face and the sound inside", choices=("wav", "webm", "mp4", "mkv")
    )
    seed: int | None = setting(None, meaning="the same seed gives the same recording")
    speed: float | None = setting(None, meaning="2 is twice as fast as the recordings", minimum=0.5, maximum=2.0)
    pitch: float | None = setting(None, meaning="semitones above the recordings", minimum=-12.0, maximum=12.0)
    steps: int | None = setting(None, meaning="steps of the solver", minimum=1, maximum=1000)
    vocoder: str | None = setting(None, meaning="a model of this server that finds how the pictures sound")
    mouth: str | None = setting(None, meaning="of a drawing: X,Y,WIDTH of its mouth, in its pixels")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScriptFields(Config):
    """Body of POST /makar/v1/scripts; of a form its texts."""

    kind: ClassVar[str] = ""

    script: str | None = setting(None, meaning="the text; or a file document")


async def describe_script(request: Request) -> Response:
    """Say what is in a script or document: its text, who may speak, how many lines and which chapters."""
    values, files = await _body(request, ScriptFields, (DOCUMENT,))
    fields, ignored = read_fields(ScriptFields, values)
    text = await _text_of(request, fields.script, files)
    names = await asyncio.to_thread(speakers, text)
    script = await asyncio.to_thread(read_script, text, [NOBODY, *names])
    found = {
        "object": "script",
        "text": text,
        "names": names,
        "has_narrator": script.lines[0].voice == 0,
        "lines": len(script.lines),
        "characters": sum(len(line.text) for line in script.lines),
        "chapters": _chapters(script),
    }
    return answer(found, ignored_header(ignored))


async def create_reading(request: Request) -> Response:
    """Ask for a script to be read aloud."""
    values, files = await _body(request, ReadingFields, PARTS)
    fields, ignored = read_fields(ReadingFields, values)
    pool = front_of(request).pool
    voices = _voices(fields.voices)
    first, *_ = [source_of(pool, said)[0] for said in voices.values()]
    if fields.vocoder is not None:
        pool.place(fields.vocoder)
    if fields.form == "wav" and (fields.mouth or any(name in files for name in FILES)):
        raise UsageError("a face for a recording", expected="form webm, mp4 or mkv")
    if (fields.mouth is None) != ("drawing" not in files):
        raise UsageError(
            "a drawing without a place for its mouth, or a place without a drawing",
            expected="drawing and mouth, or neither",
        )
    for name, most in MOST_FILE_BYTES.items():
        if name in files and (files[name].size or 0) > most:
            raise UsageError(f"a {name} of {files[name].size} bytes", expected=f"at most {most >> 20} MB")
    text = await _text_of(request, fields.script, files)
    script = await asyncio.to_thread(read_script, text, list(voices))
    chapters = _chapters(script)
    drawing, consent = [await files[name].read() if name in files else None for name in FILES]
    manner = {"speed": fields.speed, "pitch": fields.pitch, "steps": fields.steps}
    reading = {
        "id": _readings(request).line.kept.new_id(),
        "object": "reading",
        "status": "queued",
        "progress": 0,
        "created_at": now(),
        "completed_at": None,
        "error": None,
        "model": first.name,
        "title": next(filter(None, [*chapters, script.lines[0].text]))[:LONGEST_TITLE],
        "voices": voices,
        "lines": len(script.lines),
        "form": fields.form,
        "ask": {
            "script": text,
            "voices": voices,
            "seed": seed_of(fields.seed),
            "options": {name: value for name, value in manner.items() if value is not None},
            "vocoder": fields.vocoder,
            "mouth": None if fields.mouth is None else _mouth(fields.mouth),
            "consent": None if consent is None else base64.b64encode(consent).decode("ascii"),
            "has_drawing": drawing is not None,
        },
    }
    line = _readings(request).line
    line.put(reading, drawing)
    return answer(line.shown(reading), ignored_header(ignored))


async def list_readings(request: Request) -> Response:
    """List readings, the newest first."""
    line = _readings(request).line
    return answer(page([line.shown(reading) for reading in line.kept.all()], request))


async def one_reading(request: Request) -> Response:
    """Describe a reading, and how far it is."""
    line = _readings(request).line
    return answer(line.shown(line.kept.get(request.path_params["reading"])))


async def reading_content(request: Request) -> Response:
    """Give the recording or film."""
    kept = _readings(request).line.kept
    reading = kept.get(request.path_params["reading"])
    if reading["status"] != "completed":
        raise Problem(
            f"the reading is {reading['status']}", status=409, code="invalid_state", expected="a finished one"
        )
    made = reading["makar"]
    if not made["is_kept"]:
        return file_answer(request, kept.content(reading["id"]), made["type"])
    return file_answer(request, *await asyncio.to_thread(front_of(request).library.content, made["asset"]))


async def delete_reading(request: Request) -> Response:
    """Forget a reading, and read it no further; what was made stays in the library."""
    name = request.path_params["reading"]
    _readings(request).line.remove(name)
    return answer({"id": name, "object": "reading", "deleted": True})


def _readings(request: Request) -> Readings:
    readings: Readings = request.app.state.readings
    return readings


async def _body(
    request: Request, kind: type[Config], parts: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, UploadFile]]:
    """Return the values of a body of JSON or of a form, and the files of the latter by their names."""
    if not request.headers.get("content-type", "").startswith("multipart/"):
        return await read_json(request), {}
    texts, given = await read_form(request, most_files=len(parts))
    files = dict(given)
    if len(files) != len(given) or set(files) - set(parts):
        raise UsageError(f"{len(given)} files", expected=f"at most one each, named {', '.join(parts)}")
    return form_values(kind, texts), files


async def _text_of(request: Request, script: str | None, files: Mapping[str, UploadFile]) -> str:
    if (script is None) == (DOCUMENT not in files):
        raise UsageError("no script, or a script and a document", expected=f"script, or a file named {DOCUMENT}")
    if script is not None:
        # A browser sends the lines of a form so.
        return script.replace("\r\n", "\n")
    file = files[DOCUMENT]
    with tempfile.TemporaryDirectory(prefix="makar-script-") as folder:
        # Of its name the end alone counts, by which a document is known.
        place = Path(folder) / f"document{Path(word_of(file.filename)).suffix[:16]}"
        place.write_bytes(await file.read())
        return str(await attended(request, _script_of(place)))


async def _script_of(place: Path) -> str:
    (line,) = [line async for line in lines_of({"document": str(place)})]
    return str(line["script"])


def _voices(given: dict[str, Any]) -> dict[str, str]:
    if not 1 <= len(given) <= MOST_VOICES or not all(isinstance(said, str) for said in given.values()):
        raise UsageError(f"{len(given)} voices", expected=f'1 to {MOST_VOICES}, as {{"Ann": "MODEL:LABEL"}}')
    if len({name.strip().casefold() for name in given} - {""}) < len(given):
        raise UsageError("voices whose names are empty or the same", expected="different names")
    return {name.strip(): said for name, said in given.items()}


def _mouth(text: str) -> list[int]:
    if not re.fullmatch(r"\d{1,5},\d{1,5},\d{1,5}", text, re.ASCII):
        raise UsageError(f"the mouth {text[:40]!a}", expected="X,Y,WIDTH in pixels, for example 128,180,70")
    return [int(part) for part in text.split(",")]


def _chapters(script: Script) -> list[str]:
    spoken = {line.chapter for line in script.lines}
    return [title for number, title in enumerate(script.titles) if title and number in spoken]
