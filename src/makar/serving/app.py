"""The application: routes with the description of what they read, errors in one shape, and hints where there is nothing.

No page of documents comes with it, because those of FastAPI fetch their scripts from elsewhere; ``/openapi.json`` describes every route.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from makar.config import Config
from makar.errors import MakarError
from makar.serving import chat, completions, models
from makar.serving.bodies import IGNORED_HEADER, schema_of
from makar.serving.fields import ChatFields, CompletionFields
from makar.serving.front import Front
from makar.serving.guard import Guard
from makar.serving.problems import INVALID, problem_of
from makar.version import VERSION

LOG = logging.getLogger("makar.serving")
Handler = Callable[[Request], Awaitable[Response]]

HINTS = {
    "/v1/audio": "no model of speech or sound can be trained yet; text and images are there",
    "/v1/videos": "no model of video can be trained yet; text and images are there",
    "/v1/assistants": "assistants were replaced by /v1/responses",
    "/v1/threads": "threads were replaced by /v1/responses with previous_response_id",
    "/v1/realtime": "there is no realtime API; /v1/chat/completions streams",
    "/v1/vector_stores": "documents are not searched over HTTP yet",
    "/v1/batches": "send the requests at once: they share one running batch",
    "/v1/evals": "makar evaluate MODEL measures a model",
    "/v1/images/variations": "POST /v1/images/edits with strength makes variations of an image",
    "/v1/organization": "there is nobody to administer: one key, set at the start",
}
"""What is said where nothing is offered, by the beginning of the path."""

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
    }.items()
}


def make_app(front: Front, *, preload: list[str]) -> FastAPI:
    """Return the application.

    Args:
        front: What the routes work with.
        preload: Models that are loaded before the first request is answered.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        for name in preload:
            await front.pool.load(name)
        yield
        await front.pool.stop()

    app = FastAPI(title="Makar", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.front = front
    _route(app, "GET", "/health", models.health)
    _route(app, "GET", "/metrics", models.metrics)
    _route(app, "GET", "/v1/models", models.list_models)
    _route(app, "GET", "/v1/models/{model:path}", models.one_model)
    _route(app, "POST", "/v1/chat/completions", chat.chat_completions, ChatFields)
    _route(app, "POST", "/v1/completions", completions.completions, CompletionFields)
    app.add_exception_handler(MakarError, _problem)
    app.add_exception_handler(HTTPException, _absent)
    app.add_exception_handler(Exception, _broken)
    if front.rules.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(front.rules.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[IGNORED_HEADER, "x-request-id"],
        )
    app.add_middleware(Guard, rules=front.rules, figures=front.figures)
    return app


def _route(app: FastAPI, method: str, path: str, handler: Handler, fields: type[Config] | None = None) -> None:
    described: dict[str, Any] = {"responses": {"200": {"description": "The answer."}, **ERRORS}}
    if fields is not None:
        content = {"application/json": {"schema": schema_of(fields)}}
        described["requestBody"] = {"required": True, "content": content}
    app.add_api_route(path, handler, methods=[method], openapi_extra=described, response_model=None)


async def _problem(request: Request, error: Exception) -> Response:
    del request
    problem = problem_of(error)
    headers = {"retry-after": "1"} if problem["status"] in (429, 503) else {}
    return JSONResponse({"error": problem["error"]}, status_code=problem["status"], headers=headers)


async def _absent(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    hint = next((hint for start, hint in HINTS.items() if path.startswith(start)), "/openapi.json lists what there is")
    what = f"{request.method} {path[:200]!a} is not offered" if error.status_code in (404, 405) else str(error.detail)
    values = {"message": f"{what}; do: {hint}", "type": INVALID, "param": None, "code": "not_offered"}
    return JSONResponse({"error": values}, status_code=error.status_code, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    problem = problem_of(error)
    return JSONResponse({"error": problem["error"]}, status_code=problem["status"])
