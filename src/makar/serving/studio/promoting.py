"""POST /makar/v1/promotions: a better model takes the name of another one, as the verb ``promote`` does it; and the way back.

A process that holds the model of that name is let go, so that the next request has the one that has the name now. Data and suites are
read where the other routes of the studio read data: what was brought, what is built in, the folders named at the start, and nothing else.
"""

import dataclasses
from typing import ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import UsageError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of
from makar.serving.places import REMOTE, saved_names
from makar.serving.studio.folders import source_of
from makar.serving.studio.verbs import answer_of

PLACES = "a folder that was brought, or a path inside a folder that the server may read"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromoteFields(Config):
    """Body of POST /makar/v1/promotions."""

    kind: ClassVar[str] = ""

    name: str = setting(meaning="the name that is taken, or given back")
    model: str | None = setting(None, meaning="the model that takes it; none gives the name back to the one before")
    data: str | None = setting(
        None,
        meaning=f"text: what both are measured on, {PLACES}; none takes the held-out part of what model learned from",
    )
    suites: str | None = setting(None, meaning=f"text: tables of bias and safety that both are asked, {PLACES}")
    samples: int = setting(
        0,
        meaning="that each makes, and of suites most items of each test; 0 is the usual number",
        minimum=0,
        maximum=100_000,
    )
    seed: int = setting(0, meaning="of these", minimum=0)


async def promote(request: Request) -> Response:
    """Let a model take a name where it is better and surely worse at nothing, or give the name back."""
    fields, ignored = read_fields(PromoteFields, await read_json(request))
    pool = front_of(request).pool
    for name in (fields.name, fields.model):
        if name is not None and (pool.place(name).source.startswith(REMOTE) or name not in saved_names()):
            raise UsageError(f"{name} is not in the folder of models", expected="saved models, by their names")
    found = await attended(request, answer_of(words_of(request, fields), may_fail=True))
    if found.get("kept_as") is not None:
        await pool.let_go(fields.name)
    return answer(found, ignored_header(ignored))


def words_of(request: Request, fields: PromoteFields) -> list[str]:
    """Return the words of the shell for a request.

    Raises:
        Problem: Data or suites lie where the server may not read, or are not there.
        UsageError: Something is to be measured, and the name alone is to be given back.
    """
    asked = {"data": fields.data, "suites": fields.suites}
    given = {name: source_of(request, place) for name, place in asked.items() if place is not None}
    given |= {name: str(value) for name, value in (("samples", fields.samples), ("seed", fields.seed)) if value}
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    if fields.model is not None:
        return ["promote", fields.model, fields.name, *options]
    if options:
        raise UsageError(f"{next(iter(given))} for a name that is given back", expected="the name alone, or a model")
    return ["promote", fields.name, "--rollback"]
