"""/makar/v1/collections: the indexes of this machine, brought up to date, asked, and shown where a citation stands.

They are those of the verbs ``index`` and ``ask``, which do the work in a process of their own. What is added by dropping files lies in one
folder for each collection, so that a file that is brought again replaces itself and only what is new is read.
"""

import asyncio
import contextlib
import dataclasses
import glob
import re
from pathlib import Path
from typing import Any, ClassVar

from fastapi import Request, Response

from makar.api.knowledge import SUFFIX, index_place
from makar.config import Config, setting
from makar.errors import MakarError, UsageError
from makar.retrieval.sqlite_index import SqliteIndex
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of
from makar.serving.problems import Problem
from makar.serving.studio.folders import folders_of, source_of
from makar.serving.studio.verbs import answer_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LONGEST_QUESTION = 4000
MOST_SHOWN = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddFields(Config):
    """Body of POST /makar/v1/collections/NAME."""

    kind: ClassVar[str] = ""

    source: str = setting(
        meaning="a folder that was brought, builtin:NAME, or a path inside a folder that the server may read"
    )
    encoder: str | None = setting(
        None, meaning="a model that makes vectors, by which passages are found too from then on"
    )
    change_encoder: bool = setting(False, meaning="whether the encoder may take the place of another one")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AskFields(Config):
    """Body of POST /makar/v1/collections/NAME/ask."""

    kind: ClassVar[str] = ""

    question: str = setting(meaning="what is to be known")
    model: str | None = setting(None, meaning="what writes the answer; none takes the sentences of the documents")
    limit: int | None = setting(None, meaning="passages that are looked at", minimum=1, maximum=1000)
    synthesise: bool = setting(False, meaning="a review of what all documents say")


async def list_collections(request: Request) -> Response:
    """List the collections, with their numbers of documents and passages."""
    del request
    return answer({"object": "list", "data": await asyncio.to_thread(_all)})


def _all() -> list[dict[str, Any]]:
    folder, found = index_place("x").parent, []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []:
        if NAME.fullmatch(path.stem):
            row: dict[str, Any] = {"id": path.stem, "bytes": path.stat().st_size, "documents": None, "passages": None}
            # One that cannot be read is listed all the same, so that it can be deleted.
            with contextlib.suppress(MakarError), contextlib.closing(SqliteIndex.open(path)) as opened:
                row["documents"], row["passages"] = opened.counts()
            found.append(row)
    return found


async def add(request: Request) -> Response:
    """Bring a collection up to date with a source; it is made where there is none."""
    fields, ignored = read_fields(AddFields, await read_json(request))
    words = ["index", source_of(request, fields.source), "-o", _name(request)]
    if fields.encoder:
        place = front_of(request).pool.place(fields.encoder)
        words += ["--encoder", place.source]
        words += ["--base-url", place.base_url] if place.base_url else []
        words += ["--change-encoder"] if fields.change_encoder else []
    return answer(await attended(request, answer_of(words)), ignored_header(ignored))


async def ask(request: Request) -> Response:
    """Answer a question out of a collection, every sentence with its source."""
    fields, ignored = read_fields(AskFields, await read_json(request))
    if not 0 < len(fields.question.strip()) <= LONGEST_QUESTION:
        raise UsageError("a question without words, or too long", expected=f"at most {LONGEST_QUESTION} characters")
    if fields.model and fields.synthesise:
        raise UsageError(
            "a review with a model", expected="one of them: a review is written of the documents' own words"
        )
    words = ["ask", "--in", _place(request).stem, "--json"]
    words += ["--limit", str(fields.limit)] if fields.limit else []
    words += ["--synthesise"] if fields.synthesise else []
    if fields.model:
        words += ["--model", front_of(request).pool.place(fields.model).source]
    # Behind the two hyphens nothing is an option.
    return answer(await attended(request, answer_of([*words, "--", fields.question])), ignored_header(ignored))


async def passages(request: Request) -> Response:
    """Give the passages of a document that hold a place, and their neighbours."""
    given = request.query_params
    numbers = [given.get(name, "0") for name in ("start", "end")]
    if not all(text.isascii() and text.isdigit() and len(text) < 12 for text in numbers):
        raise UsageError("start and end", expected="characters of the document")
    start, end = map(int, numbers)

    def read() -> list[dict[str, Any]]:
        with contextlib.closing(SqliteIndex.open(_place(request))) as opened:
            found = opened.around(given.get("document", ""), start, end, most=MOST_SHOWN)
        return [dataclasses.asdict(one.passage) for one in found]

    return answer({"object": "list", "data": await asyncio.to_thread(read)})


async def remove(request: Request) -> Response:
    """Delete a collection; the documents themselves stay where they are.

    What was brought for it is from then on a folder like any other: another collection of that name begins without it.
    """
    place, shelf = _place(request), folders_of(request).shelf
    for folder in shelf.all():
        if folder["collection"] == place.stem:
            shelf.put(folder["id"], folder | {"collection": None})
    beside = [place.with_name(f"{place.name}{end}") for end in ("-wal", "-shm")]
    # The graph of its vectors too, where there is one.
    for path in (place, *beside, *place.parent.glob(f"{glob.escape(place.name)}.vectors-*")):
        path.unlink(missing_ok=True)
    return answer({"id": place.stem, "object": "collection", "deleted": True})


def _name(request: Request) -> str:
    name: str = request.path_params["collection"]
    if not NAME.fullmatch(name):
        raise UsageError(f"a collection called {name[:60]!a}", expected="at most 64 letters, digits, - and _")
    return name


def _place(request: Request) -> Path:
    place = index_place(_name(request))
    if not place.is_file():
        raise Problem(f"there is no collection {place.stem}", status=404, code="not_found")
    return place
