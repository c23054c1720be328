"""The routes of the studio beside OpenAI's: its pages, and under /makar/v1 what it shows and starts."""

from makar.config import Config
from makar.serving.bodies import schema_of
from makar.serving.routes import FILE, Handler
from makar.serving.studio import (
    assets,
    collections,
    describing,
    edits,
    films,
    folders,
    making,
    pages,
    promoting,
    reading_routes,
    training,
)
from makar.serving.studio.collections import AddFields, AskFields
from makar.serving.studio.training_fields import InspectFields, PlanFields, TrainFields

ROUTES: tuple[tuple[str, str, Handler, type[Config] | None], ...] = (
    ("GET", "/", pages.index, None),
    ("GET", "/studio/{file:path}", pages.file, None),
    ("GET", "/makar/v1/models/{model:path}/description", describing.description, None),
    ("GET", "/makar/v1/models/{model:path}/card", describing.card, None),
    ("POST", "/makar/v1/models/{model:path}/evaluate", describing.evaluate, describing.EvaluateFields),
    ("POST", "/makar/v1/models/{model:path}/export", describing.export, describing.ExportFields),
    ("GET", "/makar/v1/assets", assets.list_assets, None),
    ("GET", "/makar/v1/assets/{asset}", assets.one_asset, None),
    ("GET", "/makar/v1/assets/{asset}/content", assets.asset_content, None),
    ("GET", "/makar/v1/assets/{asset}/manifest", assets.asset_manifest, None),
    ("DELETE", "/makar/v1/assets/{asset}", assets.delete_asset, None),
    ("GET", "/makar/v1/sources", folders.places, None),
    ("POST", "/makar/v1/folders", folders.create_folder, None),
    ("DELETE", "/makar/v1/folders/{folder}", folders.delete_folder, None),
    ("POST", "/makar/v1/structures", making.structure, making.MakingFields),
    ("POST", "/makar/v1/music", making.music, making.MakingFields),
    ("GET", "/makar/v1/readings", reading_routes.list_readings, None),
    ("GET", "/makar/v1/readings/{reading}", reading_routes.one_reading, None),
    ("GET", "/makar/v1/readings/{reading}/content", reading_routes.reading_content, None),
    ("DELETE", "/makar/v1/readings/{reading}", reading_routes.delete_reading, None),
    ("POST", "/makar/v1/promotions", promoting.promote, promoting.PromoteFields),
    ("GET", "/makar/v1/collections", collections.list_collections, None),
    ("POST", "/makar/v1/collections/{collection}", collections.add, AddFields),
    ("DELETE", "/makar/v1/collections/{collection}", collections.remove, None),
    ("POST", "/makar/v1/collections/{collection}/ask", collections.ask, AskFields),
    ("GET", "/makar/v1/collections/{collection}/passages", collections.passages, None),
    ("POST", "/makar/v1/inspect", training.inspect, InspectFields),
    ("POST", "/makar/v1/plan", training.plan, PlanFields),
    ("GET", "/makar/v1/recipes", training.recipes, None),
    ("GET", "/makar/v1/runs", training.list_runs, None),
    ("POST", "/makar/v1/runs", training.begin, TrainFields),
    ("GET", "/makar/v1/compare", training.compare, None),
    ("POST", "/makar/v1/jobs/{job}/cancel", training.cancel_job, None),
    ("GET", "/makar/v1/runs/{run}", training.one_run, None),
    ("GET", "/makar/v1/runs/{run}/events", training.run_events, None),
    ("GET", "/makar/v1/runs/{run}/samples/{sample}", training.run_sample, None),
    ("POST", "/makar/v1/runs/{run}/stop", training.stop, None),
    ("POST", "/makar/v1/runs/{run}/resume", training.resume, None),
)
"""Method, path, what answers, and what it reads of a body of JSON."""

FORMS = (
    ("/makar/v1/verify", assets.verify, {"file": FILE, "manifest": FILE}),
    (
        "/makar/v1/edits",
        edits.edit,
        schema_of(edits.EditFields)["properties"]
        | {edits.FILE: FILE}
        | dict.fromkeys((*edits.PICTURES, films.SOUND), FILE),
    ),
    (
        "/makar/v1/readings",
        reading_routes.create_reading,
        schema_of(reading_routes.ReadingFields)["properties"] | dict.fromkeys(reading_routes.PARTS, FILE),
    ),
    (
        "/makar/v1/scripts",
        reading_routes.describe_script,
        schema_of(reading_routes.ScriptFields)["properties"] | {reading_routes.DOCUMENT: FILE},
    ),
    ("/makar/v1/folders/{folder}/files", folders.add_files, {"file": FILE, "paths": {"type": "string"}}),
)
"""Path, what answers, and the parts of a form."""
