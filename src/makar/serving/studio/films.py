"""Films edited without a model: what ``makar edit FILM`` does, for the form of POST /makar/v1/edits that names no model.

Decisions. (1) The verb does it in a process of its own: what decodes the files of others never runs in the front, and a client that goes
ends it. (2) Names of uploaded files are never paths: files get names of ours, and a sound comes as a part of the form. (3) Pictures that
move and have no sound (GIF, APNG, WebP) leave it out; where a sound is asked of them it is refused.
"""

import base64
import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from fastapi import Request
from starlette.datastructures import UploadFile

from makar.config import Config, setting
from makar.data.sniffing import HEAD_BYTES, sniff
from makar.data.video_file import ANIMATIONS, FORMS, TYPES, usual_form
from makar.errors import DataError, UnsupportedError, UsageError
from makar.generation.library import EDIT
from makar.generation.library_entry import prompt_of
from makar.provenance.embedding import sidecar_path
from makar.serving.front import front_of
from makar.serving.keeping import NOT_KEPT, Keeping, keep_file
from makar.serving.process import Event
from makar.serving.studio.verbs import answer_of

FILM, SOUND = "file", "sound"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilmFields(Config):
    """What ``how`` may say where no model is named."""

    kind: ClassVar[str] = ""

    start: float | None = setting(None, meaning="where what is kept begins", unit="seconds", minimum=0.0)
    end: float | None = setting(None, meaning="where it ends; none is the end", unit="seconds", minimum=0.0)
    speed: float | None = setting(None, meaning="2 is twice as fast; the pitch of the sound stays", minimum=0.1)
    shift_pitch: bool = setting(False, meaning="with a speed: the pitch follows it, as with a tape")
    rate_hz: float | None = setting(None, meaning="frames a second of the result", minimum=0.1)
    sound: str | None = setting(None, meaning="whether its sound stays", choices=("keep", "remove"))
    format: str | None = setting(None, meaning="form of the film; none is WebM", choices=FORMS)


async def edited_film(request: Request, how: dict[str, Any], files: list[tuple[str, UploadFile]]) -> Event:
    """Edit the films of a form and keep what came of them.

    Args:
        request: What asks.
        how: What is to be done, by the fields of ``FilmFields``.
        files: Films in their order, named ``file``, and at most one ``sound``.

    Raises:
        UsageError: There is no film, or a file of another name.
        DataError: A file is no film.
        Problem: The verb refused it.
    """
    asked = FilmFields.from_dictionary(how)
    films = [await file.read() for name, file in files if name == FILM]
    sounds = [await file.read() for name, file in files if name == SOUND]
    if not films or len(sounds) > 1 or len(films) + len(sounds) != len(files):
        raise UsageError(f"{len(files)} files", expected=f"films named {FILM}, and at most one named {SOUND}")
    for number, film in enumerate(films, start=1):
        if sniff("", film[:HEAD_BYTES]).group != "video":
            raise DataError(f"file {number} is no film", expected="WebM, MP4, MKV, GIF, APNG or WebP")
    form = asked.format or usual_form()
    is_silent = form in ANIMATIONS
    if (sounds and asked.sound is not None) or (is_silent and (sounds or asked.sound == "keep")):
        raise UnsupportedError(
            "another sound and its own at once" if not is_silent else f"sound of {form}",
            expected="one of them" if not is_silent else "webm, mp4 or mkv",
        )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="makar-film-") as place:
        folder = Path(place)
        names = [_written(folder / f"film-{number}", film) for number, film in enumerate(films)]
        heard = _written(folder / "sound", sounds[0]) if sounds else asked.sound
        out = folder / "out"
        out.mkdir()
        words = _words(asked, sound="remove" if is_silent else heard, form=form)
        # It is kept here, by what the client is told of it.
        await answer_of(["edit", *names, *words, "--output", str(out), "--no-gallery"])
        (made,) = [path for path in out.iterdir() if path.suffix == f".{form}"]
        signed = json.loads(sidecar_path(made).read_bytes())
        event: Event = {"file": base64.b64encode(made.read_bytes()).decode("ascii"), "type": TYPES[form]}
    event["manifest"] = signed
    keeping = Keeping(model="", kind=EDIT, prompts=(prompt_of(signed["manifest"]),), shows_manifest=True)
    await keep_file(front_of(request).library, keeping, event, seconds=time.perf_counter() - started)
    statement = signed["manifest"]
    lost = {NOT_KEPT: event[NOT_KEPT]} if NOT_KEPT in event else {}
    return {
        "object": "edit",
        "model": None,
        "medium": "video",
        "type": TYPES[form],
        "asset": statement["id"],
        "prompt": keeping.prompt(0),
        "remarks": statement["edit"]["remarks"],
        **lost,
    }


def _written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def _words(asked: FilmFields, *, sound: str | None, form: str) -> list[str]:
    words = ["--format", form]
    if asked.start is not None or asked.end is not None:
        words += ["--trim", ":".join("" if place is None else repr(place) for place in (asked.start, asked.end))]
    for name, value in (("--speed", asked.speed), ("--rate", asked.rate_hz), ("--sound", sound)):
        words += [] if value is None else [name, str(value)]
    return [*words, "--shift-pitch"] if asked.shift_pitch else words
