"""/makar/v1/models/NAME: what the studio shows of a model: controls, card, report, manifest, and itself in other formats."""

import asyncio
import dataclasses
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from makar.api.promotion_journal import model_before
from makar.config import Config, setting
from makar.home import models_folder
from makar.provenance.folder import MANIFEST_NAME
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of, leased
from makar.serving.places import HEADER, REMOTE, Place
from makar.serving.problems import Problem
from makar.serving.studio.verbs import answer_of

CARD, REPORT = "README.md", "report.json"
FORMATS = ("transformers", "gguf", "onnx", "peft", "diffusers", "kohya")
PRECISIONS = ("float32", "float16", "bfloat16", "int8")
LARGEST_READ = 8 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportFields(Config):
    """Body of POST /makar/v1/models/NAME/export."""

    kind: ClassVar[str] = ""

    to: str = setting(meaning="the format; not every model can be each of them", choices=FORMATS)
    precision: str | None = setting(None, meaning="of gguf: the numbers of the weights", choices=PRECISIONS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateFields(Config):
    """Body of POST /makar/v1/models/NAME/evaluate."""

    kind: ClassVar[str] = ""

    samples: int = setting(0, meaning="samples to make and measure; 0 is the usual number", minimum=0, maximum=100_000)
    seed: int = setting(0, meaning="of the samples", minimum=0)


async def description(request: Request) -> Response:
    """Say what a model can and which controls it has; it is loaded for that."""
    front = front_of(request)
    async with leased(front, request.path_params["model"]) as (place, process):
        facts = dict(process.facts)
        engine = {"name": place.engine, "why": await front.pool.explained(place, process)}
        pace = await front.pool.pace_of(place, facts["hash"])
    is_remote = place.source.startswith(REMOTE)
    return answer({"id": place.name, **facts, "engine": engine, "seconds_per_step": pace, "is_remote": is_remote})


async def card(request: Request) -> Response:
    """Give card, report, manifest and files of a model as they lie in its folder; nothing is loaded."""
    place = _saved(request)
    return answer({"id": place.name, "medium": place.medium, **await asyncio.to_thread(_read, Path(place.source))})


def _read(folder: Path) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        "card": _text(folder / CARD),
        "report": _json(folder / REPORT),
        "manifest": _json(folder / MANIFEST_NAME),
        "header": _json(folder / HEADER),
        "before": model_before(folder.name) if folder.parent == models_folder() else None,
        "files": [{"name": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size} for path in files[:500]],
        "formats": FORMATS,
        "precisions": PRECISIONS,
    }


def _text(path: Path) -> str | None:
    if not path.is_file() or path.stat().st_size > LARGEST_READ:
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path) or "null")
    except ValueError:
        return None


def _saved(request: Request) -> Place:
    place = front_of(request).pool.place(request.path_params["model"])
    if place.source.startswith(REMOTE):
        raise Problem(f"{place.name} is behind an endpoint", status=400, code="remote", expected="a saved model")
    return place


async def evaluate(request: Request) -> Response:
    """Measure a model; the report is given and goes onto its card."""
    fields, ignored = read_fields(EvaluateFields, await read_json(request))
    place = _saved(request)
    with tempfile.TemporaryDirectory(prefix="makar-report-") as folder:
        words = ["evaluate", place.source, "--output", folder, "--seed", str(fields.seed)]
        words += ["--samples", str(fields.samples)]
        return answer(await attended(request, answer_of(words)), ignored_header(ignored))


async def export(request: Request) -> Response:
    """Give a model in a standard format, as one archive."""
    fields, ignored = read_fields(ExportFields, await read_json(request))
    place = _saved(request)
    folder = Path(tempfile.mkdtemp(prefix="makar-export-"))
    try:
        words = ["export", place.source, str(folder / place.name), "--to", fields.to]
        words += ["--precision", fields.precision] if fields.precision else []
        await attended(request, answer_of(words))
        archive = folder / f"{place.name}-{fields.to}.zip"
        await asyncio.to_thread(_pack, folder / place.name, archive)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=archive.name,
        headers=ignored_header(ignored),
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def _pack(folder: Path, archive: Path) -> None:
    # Weights hardly shrink, and to try takes minutes.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder.parent).as_posix())
