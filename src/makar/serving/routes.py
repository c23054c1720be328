"""Every route in the shape of OpenAI's API: method, path, what answers, what it reads; the description of the API is made of these tables.

Source: https://platform.openai.com/docs/api-reference (paths and methods).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response

from makar.config import Config
from makar.serving import (
    batches,
    chat,
    completions,
    embeddings,
    eval_routes,
    images,
    models,
    moderation,
    responses,
    speech,
    transcriptions,
    tuning,
    uploads,
    vector_stores,
    videos,
)
from makar.serving.batch_lines import BatchFields
from makar.serving.bodies import schema_of
from makar.serving.eval_fields import EvalChangeFields, EvalFields, EvalRunFields
from makar.serving.fields import ChatFields, CompletionFields
from makar.serving.image_fields import EDIT_WORDS, ImageFields
from makar.serving.response_fields import ResponseFields
from makar.serving.speech import SpeechFields
from makar.serving.store_fields import (
    AttributeFields,
    StoreBatchFields,
    StoreChangeFields,
    StoreFields,
    StoreFileFields,
    StoreSearchFields,
)
from makar.serving.text_fields import EmbeddingFields, ModerationFields
from makar.serving.transcriptions import TranscriptionFields
from makar.serving.tuning_fields import TuningFields

Handler = Callable[[Request], Awaitable[Response]]
FILE = {"type": "string", "format": "binary"}
JOB, STORE, VIDEO = "/v1/fine_tuning/jobs/{job}", "/v1/vector_stores/{store}", "/v1/videos/{video}"
EVAL, RUN = "/v1/evals/{eval}", "/v1/evals/{eval}/runs/{run}"

ROUTES: tuple[tuple[str, str, Handler, type[Config] | None], ...] = (
    ("GET", "/health", models.health, None),
    ("GET", "/metrics", models.metrics, None),
    ("GET", "/v1/models", models.list_models, None),
    ("GET", "/v1/models/{model:path}", models.one_model, None),
    ("POST", "/v1/chat/completions", chat.chat_completions, ChatFields),
    ("POST", "/v1/completions", completions.completions, CompletionFields),
    ("POST", "/v1/responses", responses.create_response, ResponseFields),
    ("GET", "/v1/responses/{response}", responses.one_response, None),
    ("DELETE", "/v1/responses/{response}", responses.delete_response, None),
    ("POST", "/v1/responses/{response}/cancel", responses.cancel_response, None),
    ("POST", "/v1/images/generations", images.generations, ImageFields),
    ("POST", "/v1/audio/speech", speech.speech, SpeechFields),
    ("GET", VIDEO, videos.one_video, None),
    ("DELETE", VIDEO, videos.delete_video, None),
    ("GET", f"{VIDEO}/content", videos.video_content, None),
    ("POST", "/v1/embeddings", embeddings.embeddings, EmbeddingFields),
    ("POST", "/v1/moderations", moderation.moderations, ModerationFields),
    ("GET", "/v1/files/{file}", uploads.one_file, None),
    ("DELETE", "/v1/files/{file}", uploads.delete_file, None),
    ("GET", "/v1/files/{file}/content", uploads.file_content, None),
    ("POST", "/v1/fine_tuning/jobs", tuning.create_job, TuningFields),
    ("GET", JOB, tuning.one_job, None),
    ("POST", f"{JOB}/cancel", tuning.cancel_job, None),
    ("POST", f"{JOB}/pause", tuning.pause_job, None),
    ("POST", f"{JOB}/resume", tuning.resume_job, None),
    ("POST", "/v1/vector_stores", vector_stores.create_store, StoreFields),
    ("GET", STORE, vector_stores.one_store, None),
    ("POST", STORE, vector_stores.change_store, StoreChangeFields),
    ("DELETE", STORE, vector_stores.delete_store, None),
    ("POST", f"{STORE}/search", vector_stores.search_store, StoreSearchFields),
    ("POST", f"{STORE}/files", vector_stores.attach_file, StoreFileFields),
    ("GET", f"{STORE}/files/{{file}}", vector_stores.one_store_file, None),
    ("POST", f"{STORE}/files/{{file}}", vector_stores.change_store_file, AttributeFields),
    ("DELETE", f"{STORE}/files/{{file}}", vector_stores.detach_file, None),
    ("GET", f"{STORE}/files/{{file}}/content", vector_stores.store_file_content, None),
    ("POST", f"{STORE}/file_batches", vector_stores.create_batch, StoreBatchFields),
    ("GET", f"{STORE}/file_batches/{{batch}}", vector_stores.one_batch, None),
    ("POST", f"{STORE}/file_batches/{{batch}}/cancel", vector_stores.cancel_batch, None),
    ("POST", "/v1/batches", batches.create_batch, BatchFields),
    ("GET", "/v1/batches/{batch}", batches.one_batch, None),
    ("POST", "/v1/batches/{batch}/cancel", batches.cancel_batch, None),
    ("POST", "/v1/evals", eval_routes.create_eval, EvalFields),
    ("GET", EVAL, eval_routes.one_eval, None),
    ("POST", EVAL, eval_routes.change_eval, EvalChangeFields),
    ("DELETE", EVAL, eval_routes.delete_eval, None),
    ("POST", f"{EVAL}/runs", eval_routes.create_run, EvalRunFields),
    ("GET", RUN, eval_routes.one_run, None),
    # One major of the client cancels by the first, the other by the second.
    ("POST", RUN, eval_routes.cancel_run, None),
    ("POST", f"{RUN}/cancel", eval_routes.cancel_run, None),
    ("DELETE", RUN, eval_routes.delete_run, None),
    ("GET", f"{RUN}/output_items/{{item}}", eval_routes.one_output_item, None),
)
"""Method, path, what answers, and what it reads of a body of JSON."""

LISTS: tuple[tuple[str, Handler], ...] = (
    ("/v1/responses/{response}/input_items", responses.response_input),
    ("/v1/files", uploads.list_files),
    ("/v1/videos", videos.list_videos),
    ("/v1/fine_tuning/jobs", tuning.list_jobs),
    (f"{JOB}/events", tuning.job_events),
    (f"{JOB}/checkpoints", tuning.job_checkpoints),
    ("/v1/vector_stores", vector_stores.list_stores),
    (f"{STORE}/files", vector_stores.list_store_files),
    (f"{STORE}/file_batches/{{batch}}/files", vector_stores.list_batch_files),
    ("/v1/batches", batches.list_batches),
    ("/v1/evals", eval_routes.list_evals),
    (f"{EVAL}/runs", eval_routes.list_runs),
    (f"{RUN}/output_items", eval_routes.list_output_items),
)
"""Path and what answers, of lists that come in pages."""

FORMS: tuple[tuple[str, Handler, dict[str, Any], tuple[str, ...]], ...] = (
    (
        "/v1/images/edits",
        images.edits,
        schema_of(ImageFields)["properties"]
        | dict.fromkeys(("image", *images.OTHERS), FILE)
        | {name: {} for name in EDIT_WORDS},
        ("prompt",),
    ),
    (
        "/v1/files",
        uploads.create_file,
        {"file": FILE, "purpose": {"type": "string", "enum": list(uploads.PURPOSES)}},
        ("file", "purpose"),
    ),
    (
        "/v1/audio/transcriptions",
        transcriptions.transcriptions,
        schema_of(TranscriptionFields)["properties"]
        | {"file": FILE, transcriptions.GRANULARITIES: {"type": "array", "items": {"type": "string"}}},
        ("file",),
    ),
    ("/v1/audio/translations", transcriptions.translations, {"file": FILE}, ("file",)),
    (
        "/v1/videos",
        videos.create_video,
        schema_of(videos.VideoFields)["properties"] | {videos.REFERENCE: FILE},
        (),
    ),
)
"""Path, what answers, the parts of a form, and those that must be there."""

PAGE = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": uploads.MOST_LISTED}},
    {"name": "after", "in": "query", "schema": {"type": "string"}},
    {"name": "before", "in": "query", "schema": {"type": "string"}},
    {"name": "order", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"]}},
]
"""What every list reads of its address."""

HINTS = {
    "/v1/audio": "POST /v1/audio/speech speaks; POST /v1/audio/transcriptions writes down what is said",
    "/v1/videos": "POST /v1/videos makes a clip; POST /makar/v1/edits changes one, as makar edit does",
    "/v1/assistants": "assistants were replaced by /v1/responses",
    "/v1/threads": "threads were replaced by /v1/responses with previous_response_id",
    "/v1/realtime": "there is no realtime API; /v1/chat/completions streams",
    "/v1/images/variations": "POST /v1/images/edits with strength makes variations of an image",
    "/v1/organization": "there is nobody to administer: one key, set at the start",
}
"""What is said where nothing is offered, by the beginning of the path."""
