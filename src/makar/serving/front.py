"""What every route works with, and what they have in common: leases of models, work for several answers at once, seeds, streams."""

import asyncio
import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, StreamingResponse

from makar.errors import MakarError, UsageError
from makar.generation.library import Library
from makar.serving.figures import Figures
from makar.serving.guard import Rules
from makar.serving.places import Place
from makar.serving.pool import Pool
from makar.serving.problems import Problem, problem_of
from makar.serving.process import Event, Process
from makar.serving.shelf import Shelf

SEEDS = 1 << 53
"""Seeds are numbers that every client can hold."""

DONE = b"data: [DONE]\n\n"
EVENT_STREAM = "text/event-stream"
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Front:
    """A running server.

    Attributes:
        pool: Its models.
        figures: What it counted.
        rules: What is allowed.
        files: Uploaded files.
        responses: Answers that may be gone on from.
        library: What was made and kept.
    """

    pool: Pool
    figures: Figures
    rules: Rules
    files: Shelf
    responses: Shelf
    library: Library


def front_of(request: Request) -> Front:
    """Return the server that a request came to."""
    front: Front = request.app.state.front
    return front


def seed_of(given: int | None) -> int:
    """Return the seed of the first answer: the one that was given, or a new one."""
    return secrets.randbelow(SEEDS) if given is None else given % SEEDS


def new_id(kind: str) -> str:
    """Return an id that nobody has guessed."""
    return f"{kind}{secrets.token_hex(12)}"


def now() -> int:
    """Return the time in seconds since 1970."""
    return int(time.time())


async def merged(process: Process, asks: Sequence[Event]) -> AsyncIterator[tuple[int, Event]]:
    """Do several pieces of work at once and yield (which, event) as they come; whoever stops early cancels all of them.

    Raises:
        Problem: One of them failed; the others are cancelled.
    """
    found: asyncio.Queue[tuple[int, Event | Problem | None]] = asyncio.Queue()

    async def follow(number: int, ask: Event) -> None:
        try:
            async with contextlib.aclosing(process.do(ask)) as events:
                async for event in events:
                    found.put_nowait((number, event))
        except Problem as problem:
            found.put_nowait((number, problem))
        else:
            found.put_nowait((number, None))

    tasks = [asyncio.create_task(follow(number, ask)) for number, ask in enumerate(asks)]
    try:
        left = len(tasks)
        while left:
            number, event = await found.get()
            if isinstance(event, Problem):
                raise event
            if event is None:
                left -= 1
            else:
                yield number, event
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def attended(request: Request, work: Awaitable[Result]) -> Result:
    """Wait for work as long as the client does; the work is cancelled when it has gone.

    Raises:
        Problem: The client has gone.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Problem("the client has gone", status=499, code="gone")
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def only_model(front: Front, medium: str, *, hears: bool = False) -> str:
    """Return the one model of a medium.

    Args:
        front: The server.
        medium: What it makes.
        hears: Whether it is to write down what is said, which others of its medium do not.

    Raises:
        UsageError: There are none, or several.
    """
    names = [place.name for place in front.pool.places if place.medium == medium and place.hears == hears]
    if len(names) != 1:
        shown = ", ".join(names) or f"none: there is no model of {medium}"
        raise UsageError("no model is named", expected=f"model: one of {shown}")
    return names[0]


@contextlib.asynccontextmanager
async def leased(front: Front, name: str) -> AsyncIterator[tuple[Place, Process]]:
    """Have a model by its name."""
    place = front.pool.place(name)
    async with front.pool.lease(name) as process:
        yield place, process


async def begun(request: Request, stream: AsyncGenerator[bytes], headers: dict[str, str]) -> StreamingResponse:
    """Return an answer in pieces, after the first piece is there: what is refused is refused with its own status.

    Args:
        request: What asked; once it has gone the work is cancelled, also while the first piece is waited for.
        stream: The pieces; an error in the middle becomes an event.
        headers: More headers.

    Raises:
        Problem: The client has gone before the first piece.
    """

    async def opened() -> bytes:
        return await anext(stream, b"")

    # The answer listens for whoever goes only from its first piece on.
    first = await attended(request, opened())

    async def whole() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(stream):
            yield first
            try:
                async for piece in stream:
                    yield piece
            except MakarError as error:
                yield sse({"error": problem_of(error)["error"]})

    return StreamingResponse(whole(), media_type=EVENT_STREAM, headers={"cache-control": "no-cache", **headers})


def sse(values: Event, *, event: str | None = None) -> bytes:
    """Return one server-sent event.

    Args:
        values: What it says.
        event: Its name; ``None`` for none.
    """
    named = "" if event is None else f"event: {event}\n"
    return f"{named}data: {json.dumps(values, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def answer(values: Any, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a whole answer."""
    return JSONResponse(values, headers=headers)
