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
from makar.serving import (
    chat,
    completions,
    embeddings,
    feedback,
    images,
    models,
    moderation,
    responses,
    tuning,
    uploads,
    vector_stores,
)
from makar.serving.bodies import IGNORED_HEADER, schema_of
from makar.serving.fields import ChatFields, CompletionFields
from makar.serving.front import Front
from makar.serving.guard import Guard
from makar.serving.image_fields import ImageFields
from makar.serving.problems import INVALID, problem_of
from makar.serving.response_fields import ResponseFields
from makar.serving.store_fields import (
    AttributeFields,
    StoreBatchFields,
    StoreChangeFields,
    StoreFields,
    StoreFileFields,
    StoreSearchFields,
)
from makar.serving.stores import Stores
from makar.serving.studio.folders import Folders
from makar.serving.studio.pages import read_pages
from makar.serving.studio.routes import FORMS, ROUTES
from makar.serving.text_fields import EmbeddingFields, ModerationFields
from makar.serving.tuning import Trainings
from makar.serving.tuning_fields import TuningFields
from makar.version import VERSION

LOG = logging.getLogger("makar.serving")
FILE = {"type": "string", "format": "binary"}
Handler = Callable[[Request], Awaitable[Response]]

HINTS = {
    "/v1/audio": "no model of speech or sound can be trained yet; text and images are there",
    "/v1/videos": "no model of video can be trained yet; text and images are there",
    "/v1/assistants": "assistants were replaced by /v1/responses",
    "/v1/threads": "threads were replaced by /v1/responses with previous_response_id",
    "/v1/realtime": "there is no realtime API; /v1/chat/completions streams",
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
        507: "The disk is full.",
    }.items()
}


def make_app(front: Front, *, trainings: Trainings, stores: Stores, folders: Folders, preload: list[str]) -> FastAPI:
    """Return the application.

    Args:
        front: What the routes work with.
        trainings: The jobs that train.
        folders: Data that was brought to the studio.
        stores: The vector stores.
        preload: Models that are loaded before the first request is answered.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        for name in preload:
            await front.pool.load(name)
        await front.pool.prepare()
        trainings.start()
        stores.start()
        yield
        await stores.stop()
        await trainings.stop()
        await front.pool.stop()

    app = FastAPI(title="Makar", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.front = front
    app.state.trainings = trainings
    app.state.folders = folders
    app.state.pages = read_pages()
    app.state.stores = stores
    _route(app, "GET", "/health", models.health)
    _route(app, "GET", "/metrics", models.metrics)
    _route(app, "GET", "/v1/models", models.list_models)
    _route(app, "GET", "/v1/models/{model:path}", models.one_model)
    _route(app, "POST", "/v1/chat/completions", chat.chat_completions, ChatFields)
    _route(app, "POST", "/v1/completions", completions.completions, CompletionFields)
    _route(app, "POST", "/v1/responses", responses.create_response, ResponseFields)
    _route(app, "GET", "/v1/responses/{response}", responses.one_response)
    _route(app, "DELETE", "/v1/responses/{response}", responses.delete_response)
    _route(app, "GET", "/v1/responses/{response}/input_items", responses.response_input)
    _route(app, "POST", "/v1/responses/{response}/cancel", responses.cancel_response)
    _route(app, "POST", "/v1/images/generations", images.generations, ImageFields)
    _form(app, "/v1/images/edits", images.edits, schema_of(ImageFields)["properties"] | {"image": FILE, "mask": FILE})
    _route(app, "POST", "/v1/embeddings", embeddings.embeddings, EmbeddingFields)
    _route(app, "POST", "/v1/moderations", moderation.moderations, ModerationFields)
    _form(app, "/v1/files", uploads.create_file, {"file": FILE, "purpose": {"enum": list(uploads.PURPOSES)}})
    _route(app, "GET", "/v1/files", uploads.list_files)
    _route(app, "GET", "/v1/files/{file}", uploads.one_file)
    _route(app, "DELETE", "/v1/files/{file}", uploads.delete_file)
    _route(app, "GET", "/v1/files/{file}/content", uploads.file_content)
    _route(app, "POST", "/v1/fine_tuning/jobs", tuning.create_job, TuningFields)
    _route(app, "GET", "/v1/fine_tuning/jobs", tuning.list_jobs)
    _route(app, "GET", "/v1/fine_tuning/jobs/{job}", tuning.one_job)
    _route(app, "GET", "/v1/fine_tuning/jobs/{job}/events", tuning.job_events)
    _route(app, "GET", "/v1/fine_tuning/jobs/{job}/checkpoints", tuning.job_checkpoints)
    _route(app, "POST", "/v1/fine_tuning/jobs/{job}/cancel", tuning.cancel_job)
    _route(app, "POST", "/v1/fine_tuning/jobs/{job}/pause", tuning.pause_job)
    _route(app, "POST", "/v1/fine_tuning/jobs/{job}/resume", tuning.resume_job)
    _form(app, "/makar/v1/feedback/import", feedback.import_feedback, {"file": FILE})
    for method, path, handler, fields in feedback.ROUTES:
        _route(app, method, f"/makar/v1/feedback{path}", handler, fields)
    for method, path, handler, studio_fields in ROUTES:
        _route(app, method, path, handler, studio_fields)
    for path, handler, parts in FORMS:
        _form(app, path, handler, parts)
    store = "/v1/vector_stores/{store}"
    _route(app, "POST", "/v1/vector_stores", vector_stores.create_store, StoreFields)
    _route(app, "GET", "/v1/vector_stores", vector_stores.list_stores)
    _route(app, "GET", store, vector_stores.one_store)
    _route(app, "POST", store, vector_stores.change_store, StoreChangeFields)
    _route(app, "DELETE", store, vector_stores.delete_store)
    _route(app, "POST", f"{store}/search", vector_stores.search_store, StoreSearchFields)
    _route(app, "POST", f"{store}/files", vector_stores.attach_file, StoreFileFields)
    _route(app, "GET", f"{store}/files", vector_stores.list_store_files)
    _route(app, "GET", f"{store}/files/{{file}}", vector_stores.one_store_file)
    _route(app, "POST", f"{store}/files/{{file}}", vector_stores.change_store_file, AttributeFields)
    _route(app, "DELETE", f"{store}/files/{{file}}", vector_stores.detach_file)
    _route(app, "GET", f"{store}/files/{{file}}/content", vector_stores.store_file_content)
    _route(app, "POST", f"{store}/file_batches", vector_stores.create_batch, StoreBatchFields)
    _route(app, "GET", f"{store}/file_batches/{{batch}}", vector_stores.one_batch)
    _route(app, "POST", f"{store}/file_batches/{{batch}}/cancel", vector_stores.cancel_batch)
    _route(app, "GET", f"{store}/file_batches/{{batch}}/files", vector_stores.list_batch_files)
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


def _form(app: FastAPI, path: str, handler: Handler, fields: dict[str, Any]) -> None:
    content = {"multipart/form-data": {"schema": {"type": "object", "properties": fields}}}
    described = {
        "responses": {"200": {"description": "The answer."}, **ERRORS},
        "requestBody": {"required": True, "content": content},
    }
    app.add_api_route(path, handler, methods=["POST"], openapi_extra=described, response_model=None)


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
