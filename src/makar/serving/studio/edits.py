"""POST /makar/v1/edits: a sound, a clip, a structure or music changed by a model, or films edited without one, as ``edit`` does it.

OpenAI's API changes images alone, and fills holes in code. What is to be done is said in the words of the verb. None of them is the name
of a file: pictures and sounds come as parts of the form.
"""

import base64
import dataclasses
import time
from typing import Any, ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import UsageError
from makar.generation.library import EDIT
from makar.serving.bodies import ignored_header, read_fields
from makar.serving.front import answer, attended, front_of, leased, merged, seed_of
from makar.serving.image_fields import form_values
from makar.serving.keeping import NOT_KEPT, Keeping, keep_file, type_of
from makar.serving.process import Event
from makar.serving.studio.films import FilmFields, edited_film
from makar.serving.uploads import read_form

FILE = "file"
PICTURES = ("mask", "to")
WORDS = ("from_second", "to_second", "go_on", "operation", "box", "keep", "from_residue", "to_residue", "residues")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditFields(Config):
    """Texts of the form of POST /makar/v1/edits."""

    kind: ClassVar[str] = ""

    model: str | None = setting(
        None, meaning="name of a model of sound, video, structures or music; none edits films without a model"
    )
    prompt: str = setting("", meaning="what it is to become, where the model takes a class or a description")
    seed: int | None = setting(None, meaning="the same seed gives the same result")
    how: dict | None = setting(
        None,
        meaning=f"what is to be done, as an object of {', '.join(WORDS)}; without a model of "
        + ", ".join(field.name for field in dataclasses.fields(FilmFields)),
    )
    controls: dict | None = setting(None, meaning="controls of the model by their names, strength among them")


async def edit(request: Request) -> Response:
    """Change what is given and keep what came of it."""
    texts, files = await read_form(request)
    fields, ignored = read_fields(EditFields, form_values(EditFields, texts))
    how = dict(fields.how or {})
    if fields.model is None:
        if said := [name for name in ("prompt", "seed", "controls") if getattr(fields, name) not in (None, "")]:
            raise UsageError(f"{said[0]} without a model", expected="a model, or what is to be done with films alone")
        return answer(await attended(request, edited_film(request, how, files)), ignored_header(ignored))
    if unknown := [name for name in how if name not in WORDS]:
        raise UsageError(f"how: {str(unknown[0])[:40]!a}", expected=", ".join(WORDS))
    if "box" in how:
        how["box"] = _box(how["box"])
    given = {name: base64.b64encode(await file.read()).decode("ascii") for name, file in files}
    if FILE not in given or set(given) - {FILE, *PICTURES} or len(files) != len(given):
        raise UsageError(f"{len(files)} files", expected=f"one named {FILE}, and of clips {' or '.join(PICTURES)}")
    ask: Event = {
        "do": "change",
        "file": given.pop(FILE),
        "pictures": given,
        "how": how,
        "prompt": fields.prompt,
        "seed": seed_of(fields.seed),
        "options": dict(fields.controls or {}),
    }
    return answer(await attended(request, _made(request, fields.model, fields.prompt, ask)), ignored_header(ignored))


async def _made(request: Request, model: str, prompt: str, ask: Event) -> Event:
    front = front_of(request)
    async with leased(front, model) as (place, process):
        started = time.perf_counter()
        # To the end, because work that is left before it is over is cancelled.
        (event,) = [one async for _, one in merged(process, [ask])]
        medium = place.medium
    kind = type_of(event)
    keeping = Keeping(model=place.name, kind=EDIT, prompts=(prompt,), shows_manifest=True)
    await keep_file(front.library, keeping, event, seconds=time.perf_counter() - started)
    said = {name: event[name] for name in ("asset", "seed", "novelty", NOT_KEPT) if name in event}
    return {"object": "edit", "model": place.name, "medium": medium, "type": kind, **said}


def _box(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or len(given) != 4 or not all(type(one) is int for one in given):
        raise UsageError("how: a box that is no four numbers", expected="[left, top, right, bottom], in pixels")
    return tuple(given)
