"""The application: routes with the description of what they read, errors in one shape, and hints where there is nothing.

No page of documents comes with it, because those of FastAPI fetch their scripts from elsewhere; ``/openapi.json`` describes every route.
"""

import contextlib
import dataclasses
import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from makar.config import Config
from makar.errors import MakarError
from makar.serving import feedback
from makar.serving.batches import Batches
from makar.serving.bodies import schema_of
from makar.serving.evals import Evals
from makar.serving.front import Front
from makar.serving.guard import Guard
from makar.serving.problems import INVALID, problem_of, retry_headers
from makar.serving.routes import FILE, FORMS, HINTS, LISTS, PAGE, ROUTES, Handler
from makar.serving.stores import Stores
from makar.serving.studio import routes as studio
from makar.serving.studio.folders import Folders
from makar.serving.studio.pages import read_pages
from makar.serving.studio.readings import Readings
from makar.serving.tuning import Trainings
from makar.serving.videos import Videos
from makar.version import VERSION

LOG = logging.getLogger("makar.serving")

ERRORS = {
    str(status): {"description": meaning, "content": {"application/json": {"schema": {"type": "object"}}}}
    for status, meaning in {
        400: "The request is wrong; the message says what was expected.",
        401: "No key, or another one.",
        403: "Asked from a foreign page or machine.",
        404: "No such model or object.",
        408: "The body does not come.",
        409: "It cannot be done as things are.",
        413: "The body is too large.",
        415: "The body is no JSON.",
        429: "Too many requests.",
        500: "The work failed.",
        501: "An optional package is not installed.",
        502: "The endpoint behind the model does not answer.",
        503: "No memory, or the process of the model died.",
        507: "The disk is full.",
    }.items()
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Making:
    """What is made in the background, one after the other.

    Attributes:
        videos: The clips that are asked for.
        readings: The scripts that are read aloud.
    """

    videos: Videos
    readings: Readings


def make_app(
    front: Front,
    *,
    trainings: Trainings,
    folders: Folders,
    stores: Stores,
    batches: Batches,
    evals: Evals,
    making: Making,
    preload: list[str],
) -> FastAPI:
    """Return the application.

    Args:
        front: What the routes work with.
        trainings: The jobs that train.
        folders: Data that was brought to the studio.
        stores: The vector stores.
        batches: The batches of requests.
        evals: The evaluations.
        making: What is made in the background.
        preload: Models that are loaded before the first request is answered.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for name in preload:
            await front.pool.load(name)
        await front.pool.prepare()
        trainings.start()
        stores.start()
        batches.start(app)
        evals.start(app)
        making.videos.line.start(front)
        making.readings.line.start(front)
        yield
        await making.readings.line.stop()
        await making.videos.line.stop()
        await evals.stop()
        await batches.stop()
        await stores.stop()
        await trainings.stop()
        await front.pool.stop()

    app = FastAPI(title="Makar", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.front = front
    app.state.trainings = trainings
    app.state.folders = folders
    app.state.pages = read_pages()
    app.state.stores = stores
    app.state.batches = batches
    app.state.evals = evals
    app.state.videos = making.videos
    app.state.readings = making.readings
    for method, path, handler, fields in (*ROUTES, *studio.ROUTES):
        _route(app, method, path, handler, fields)
    for method, path, handler, fields in feedback.ROUTES:
        _route(app, method, f"/makar/v1/feedback{path}", handler, fields)
    for path, handler in LISTS:
        _route(app, "GET", path, handler, queries=PAGE)
    for path, handler, parts, required in FORMS:
        _form(app, path, handler, parts, required)
    _form(app, "/makar/v1/feedback/import", feedback.import_feedback, {"file": FILE}, ("file",))
    for path, handler, parts in studio.FORMS:
        _form(app, path, handler, parts, ())
    app.add_exception_handler(MakarError, _problem)
    app.add_exception_handler(sqlite3.OperationalError, _problem)
    app.add_exception_handler(HTTPException, _absent)
    app.add_exception_handler(Exception, _broken)
    if front.rules.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(front.rules.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    app.add_middleware(Guard, rules=front.rules, figures=front.figures)
    return app


def _route(
    app: FastAPI,
    method: str,
    path: str,
    handler: Handler,
    fields: type[Config] | None = None,
    *,
    queries: list[dict[str, Any]] | None = None,
) -> None:
    content = None if fields is None else {"application/json": {"schema": schema_of(fields)}}
    described = _described(path, content, queries or [])
    app.add_api_route(path, handler, methods=[method], openapi_extra=described, response_model=None)


def _form(app: FastAPI, path: str, handler: Handler, parts: dict[str, Any], required: tuple[str, ...]) -> None:
    schema = {"type": "object", "properties": parts, "required": list(required)}
    described = _described(path, {"multipart/form-data": {"schema": schema}}, [])
    app.add_api_route(path, handler, methods=["POST"], openapi_extra=described, response_model=None)


def _described(path: str, content: dict[str, Any] | None, queries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the description of the API says of a route."""
    names = re.findall(r"\{(\w+)(?::path)?\}", path)
    placed = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    described: dict[str, Any] = {"responses": {"200": {"description": "The answer."}, **ERRORS}}
    described["parameters"] = [*placed, *queries]
    if content is not None:
        described["requestBody"] = {"required": True, "content": content}
    return described


async def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, MakarError):
        LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    problem = problem_of(error)
    status = problem["status"]
    return JSONResponse({"error": problem["error"]}, status_code=status, headers=retry_headers(status))


async def _absent(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    hint = next((hint for start, hint in HINTS.items() if path.startswith(start)), "/openapi.json lists what there is")
    what = f"{request.method} {path[:200]!a} is not offered" if error.status_code in (404, 405) else str(error.detail)
    values = {"message": f"{what}; do: {hint}", "type": INVALID, "param": None, "code": "not_offered"}
    return JSONResponse({"error": values}, status_code=error.status_code, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    # Only what fails in the middle of an answer: before it has begun the guard answers, so that it is counted and has every header.
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    problem = problem_of(error)
    return JSONResponse({"error": problem["error"]}, status_code=problem["status"])
