"""POST /makar/v1/structures and /makar/v1/music: a structure of a protein or a piece of music made and kept; OpenAI's API has neither."""

import dataclasses
import time
from typing import ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import UnsupportedError
from makar.generation.library import CREATE
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of, leased, merged, seed_of
from makar.serving.keeping import NOT_KEPT, Keeping, keep_file, type_of
from makar.serving.process import Event


@dataclasses.dataclass(frozen=True, kw_only=True)
class MakingFields(Config):
    """Body of POST /makar/v1/structures and of POST /makar/v1/music."""

    kind: ClassVar[str] = ""

    model: str = setting(meaning="name of a model of structures, or of music")
    prompt: str = setting("", meaning="the name of a class, where the model takes one; of music words such as key=Am")
    seed: int | None = setting(None, meaning="the same seed gives the same result")
    controls: dict | None = setting(None, meaning="controls of the model by their names; of structures format too")


async def structure(request: Request) -> Response:
    """Make a structure."""
    return await _answered(request, "structure")


async def music(request: Request) -> Response:
    """Make a piece of music."""
    return await _answered(request, "music")


async def _answered(request: Request, medium: str) -> Response:
    fields, ignored = read_fields(MakingFields, await read_json(request))
    return answer(await attended(request, _made(request, fields, medium)), ignored_header(ignored))


async def _made(request: Request, fields: MakingFields, medium: str) -> Event:
    front = front_of(request)
    ask: Event = {
        "do": "file",
        "prompt": fields.prompt,
        "seed": seed_of(fields.seed),
        "options": dict(fields.controls or {}),
    }
    async with leased(front, fields.model) as (place, process):
        if place.medium != medium:
            raise UnsupportedError(
                f"{medium} of {place.name}, which makes {place.medium}", expected=f"a model of {medium}"
            )
        started = time.perf_counter()
        # To the end, because work that is left before it is over is cancelled.
        (event,) = [one async for _, one in merged(process, [ask])]
    keeping = Keeping(model=place.name, kind=CREATE, prompts=(fields.prompt,), shows_manifest=True)
    await keep_file(front.library, keeping, event, seconds=time.perf_counter() - started)
    said = {name: event[name] for name in ("asset", "seed", "novelty", NOT_KEPT) if name in event}
    return {"object": medium, "model": place.name, "medium": medium, "type": type_of(event), **said}
