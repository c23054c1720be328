"""POST /makar/v1/structures: the structure of a protein made by a model and kept; OpenAI's API has none."""

import dataclasses
import time
from typing import ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import UnsupportedError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of, leased, merged, seed_of
from makar.serving.keeping import CREATE, NOT_KEPT, Keeping, keep_file, type_of
from makar.serving.process import Event


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureFields(Config):
    """Body of POST /makar/v1/structures."""

    kind: ClassVar[str] = ""

    model: str = setting(meaning="name of a model of structures")
    prompt: str = setting("", meaning="the name of a class, where the model takes one")
    seed: int | None = setting(None, meaning="the same seed gives the same structure")
    controls: dict | None = setting(None, meaning="controls of the model by their names, and format: pdb or cif")


async def structure(request: Request) -> Response:
    """Make a structure."""
    fields, ignored = read_fields(StructureFields, await read_json(request))
    return answer(await attended(request, _made(request, fields)), ignored_header(ignored))


async def _made(request: Request, fields: StructureFields) -> Event:
    front = front_of(request)
    ask: Event = {
        "do": "structure",
        "prompt": fields.prompt,
        "seed": seed_of(fields.seed),
        "options": dict(fields.controls or {}),
    }
    async with leased(front, fields.model) as (place, process):
        if place.medium != "structure":
            raise UnsupportedError(
                f"a structure of {place.name}, which makes {place.medium}", expected="a model of structures"
            )
        started = time.perf_counter()
        # To the end, because work that is left before it is over is cancelled.
        (event,) = [one async for _, one in merged(process, [ask])]
    keeping = Keeping(model=place.name, kind=CREATE, prompts=(fields.prompt,), shows_manifest=True)
    await keep_file(front.library, keeping, event, seconds=time.perf_counter() - started)
    said = {name: event[name] for name in ("asset", "seed", "novelty", NOT_KEPT) if name in event}
    return {"object": "structure", "model": place.name, "medium": "structure", "type": type_of(event), **said}
