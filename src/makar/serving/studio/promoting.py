"""POST /makar/v1/promotions: a better model takes the name of another one, as the verb ``promote`` does it; and the way back.

A process that holds the model of that name is let go, so that the next request has the one that has the name now.
"""

import dataclasses
from typing import ClassVar

from fastapi import Request, Response

from makar.config import Config, setting
from makar.errors import UsageError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of
from makar.serving.places import REMOTE, saved_names
from makar.serving.studio.verbs import answer_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromoteFields(Config):
    """Body of POST /makar/v1/promotions."""

    kind: ClassVar[str] = ""

    name: str = setting(meaning="the name that is taken, or given back")
    model: str | None = setting(None, meaning="the model that takes it; none gives the name back to the one before")


async def promote(request: Request) -> Response:
    """Let a model take a name where it is better and surely worse at nothing, or give the name back."""
    fields, ignored = read_fields(PromoteFields, await read_json(request))
    pool = front_of(request).pool
    for name in (fields.name, fields.model):
        if name is not None and (pool.place(name).source.startswith(REMOTE) or name not in saved_names()):
            raise UsageError(f"{name} is not in the folder of models", expected="saved models, by their names")
    words = ["promote", fields.name, "--rollback"] if fields.model is None else ["promote", fields.model, fields.name]
    found = await attended(request, answer_of(words, may_fail=True))
    if found.get("kept_as") is not None:
        await pool.let_go(fields.name)
    return answer(found, ignored_header(ignored))
