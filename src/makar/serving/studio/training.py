"""/makar/v1/inspect, plan and runs: data looked at, trainings planned, begun, watched, stopped, gone on with and compared.

A training is a job in the same queue as those of /v1/fine_tuning, and its run is an ordinary run of this machine. What is shown is read
from the folders of the runs, so those that the shell began are there too, and nothing is lost when the server ends.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from fastapi import Request, Response

from makar.api.runs import all_runs, compare_runs, run_details
from makar.errors import UnknownNameError, UsageError
from makar.home import models_folder
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, begun, front_of, now, sse
from makar.serving.problems import Problem
from makar.serving.studio.folders import source_of
from makar.serving.studio.training_fields import (
    InspectFields,
    PlanFields,
    TrainFields,
    inspect_words,
    model_name,
    plan_words,
)
from makar.serving.studio.verbs import answer_of
from makar.serving.tuning import (
    ENDED,
    PAUSES,
    RUNS,
    WAITS,
    Trainings,
    exists,
    fixed_feedback,
    is_feedback,
    trainings_of,
)
from makar.training.progress import read_lines
from makar.training.run_store import Run, open_run

LOOK_SECONDS = 0.5
SAMPLE = re.compile(r"[\w-]+-(\d+)\.(png|txt)")
MOST_SAMPLES = 400


async def inspect(request: Request) -> Response:
    """Say what is in a source, as the verb does."""
    fields, ignored = read_fields(InspectFields, await read_json(request))
    words = inspect_words(fields, source_of(request, fields.source))
    return answer(await attended(request, answer_of(["inspect", *words])), ignored_header(ignored))


async def plan(request: Request) -> Response:
    """Say what would be trained, as the verb does."""
    fields, ignored = read_fields(PlanFields, await read_json(request))
    words = plan_words(fields, source_of(request, fields.source), _parent(request, fields))
    return answer(await attended(request, answer_of(["plan", *words])), ignored_header(ignored))


async def recipes(request: Request) -> Response:
    """List the recipes, as the verb does."""
    return answer(await attended(request, answer_of(["list", "recipes"])))


async def begin(request: Request) -> Response:
    """Begin a training; it waits while another one trains."""
    fields, ignored = read_fields(TrainFields, await read_json(request))
    source = source_of(request, fields.source)
    # What is said from now on belongs to the next training, also when this one is gone on with.
    fixed = fixed_feedback(source) if is_feedback(source) else source
    words = plan_words(fields, fixed, _parent(request, fields))
    trainings = trainings_of(request)
    usual = Path(source.removeprefix("builtin:")).stem
    name = _free_name(trainings, model_name(fields.name, usual), is_chosen=fields.name is not None)
    job = new_job(trainings, ["train", *words, "-o", str(models_folder() / name)], output=models_folder() / name)
    job |= {"model": fields.from_model or "", "seed": fields.seed, "recipe": fields.recipe}
    job["hyperparameters"] = {"steps": fields.steps} if fields.minutes is None else {"minutes": fields.minutes}
    trainings.put(job)
    return answer(shown(trainings, job), ignored_header(ignored))


def new_job(trainings: Trainings, words: list[str], *, output: Path) -> dict[str, Any]:
    """Return a job of the studio, which also /v1/fine_tuning lists.

    Args:
        trainings: The jobs of the server.
        words: The words of the shell, without ``--json``.
        output: Folder of the model.
    """
    return {
        "id": trainings.jobs.new_id(),
        "object": "fine_tuning.job",
        "created_at": now(),
        "error": None,
        "finished_at": None,
        "hyperparameters": {},
        "model": "",
        "organization_id": "makar",
        "result_files": [],
        "seed": 0,
        "status": "queued",
        "trained_tokens": None,
        "training_file": "",
        "validation_file": None,
        "metadata": {},
        "method": {"type": "supervised"},
        "output": str(output),
        "recipe": None,
        "words": words,
    }


def shown(trainings: Trainings, job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as the studio shows it, with the run that belongs to it."""
    run = trainings.run_of(job)
    error = job["error"]["message"] if job["error"] else None
    return {
        "id": job["id"],
        "name": Path(job["output"]).name,
        "status": job["status"],
        "created_at": job["created_at"],
        "error": error,
        "run": None if run is None else run.name,
    }


async def list_runs(request: Request) -> Response:
    """List the trainings of this machine, and the jobs of this server that are not over."""
    trainings = trainings_of(request)

    def read() -> dict[str, Any]:
        recent = [
            job for job in trainings.jobs.all() if job["status"] not in ENDED or job["created_at"] > now() - 86_400
        ]
        return {"object": "list", "data": all_runs(), "jobs": [shown(trainings, job) for job in recent[:50]]}

    return answer(await asyncio.to_thread(read))


async def one_run(request: Request) -> Response:
    """Describe a training: state, plan, curve, samples."""
    run = _run(request)
    details = await asyncio.to_thread(run_details, run.id)
    job = _job_of(trainings_of(request), run)
    error = job["error"]["message"] if job is not None and job["error"] else None
    # Its turn comes, or its process is being started: nobody has to ask again.
    is_waiting = job is not None and job["status"] in (*WAITS, *RUNS) and not details["is_running"]
    more = {"samples": _samples(run), "folder": run.folder.name, "error": error, "is_waiting": is_waiting}
    return answer(details | more)


async def run_sample(request: Request) -> Response:
    """Give one sample of a training: a picture or a text."""
    run, name = _run(request), request.path_params["sample"]
    if name not in _samples(run):
        raise Problem(f"the run has no sample {name[:60]!a}", status=404, code="not_found")
    kind = "image/png" if name.endswith(".png") else "text/plain; charset=utf-8"
    content = await asyncio.to_thread((run.folder / "samples" / name).read_bytes)
    return Response(content, media_type=kind, headers={"content-security-policy": "sandbox"})


async def run_events(request: Request) -> Response:
    """Send what happens in a training as it happens, from the line ``after`` on, until it stands still."""
    run, after = _run(request), request.query_params.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 12):
        raise UsageError(f"after {after[:20]!a}", expected="the number of a line")
    return await begun(request, _followed(run, int(after)), {})


async def _followed(run: Run, after: int) -> AsyncGenerator[bytes]:
    known: list[str] = []
    while True:
        # Asked before the lines are read: what is written until it ends is sent too.
        is_running = await asyncio.to_thread(run.is_running)
        lines, samples = await asyncio.to_thread(read_lines, run.metrics_path, after=after), _samples(run)
        fresh = [name for name in samples if name not in known]
        known = samples
        after += len(lines)
        if lines or fresh or not is_running:
            yield sse({"number": after, "lines": lines, "samples": fresh, "is_running": is_running})
        if not is_running:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def compare(request: Request) -> Response:
    """Say in what trainings differ, with their curves."""
    runs = request.query_params.getlist("run")
    opened = [_opened(name) for name in runs]

    def read() -> dict[str, Any]:
        curves = {run.id: run_details(run.id)["curve"] for run in opened}
        return {"data": compare_runs([run.id for run in opened]), "curves": curves}

    return answer(await asyncio.to_thread(read))


async def stop(request: Request) -> Response:
    """Let a training save and stop."""
    run, trainings = _run(request), trainings_of(request)
    job = _job_of(trainings, run, RUNS) or _job_of(trainings, run, WAITS)
    if job is not None:
        trainings.ask(job["id"], "paused")
        return answer({"id": run.id, "stopped": True})
    return answer({"id": run.id, "stopped": await asyncio.to_thread(run.request_stop)})


async def resume(request: Request) -> Response:
    """Go on with a training that was stopped."""
    run, trainings = _run(request), trainings_of(request)
    if run.is_running():
        raise Problem(f"{run.id} is running", status=409, code="conflict", expected="a run that stands still")
    job = _job_of(trainings, run, (*WAITS, *RUNS))
    if job is not None:
        # Somebody asked before, and its turn comes: a second job would go on with what the first one ends.
        return answer(shown(trainings, job))
    job = _job_of(trainings, run, PAUSES)
    if job is not None:
        return answer(shown(trainings, trainings.ask(job["id"], "queued")))
    job = new_job(trainings, ["runs", "resume", run.id], output=Path(run.state()["output"]))
    # It is this run that may have saved a model already.
    job |= {"has_begun": True}
    trainings.put(job)
    return answer(shown(trainings, job))


async def cancel_job(request: Request) -> Response:
    """End a job that waits or runs; what it saved stays."""
    trainings = trainings_of(request)
    return answer(shown(trainings, trainings.ask(request.path_params["job"], "cancelled")))


def _job_of(trainings: Trainings, run: Run, statuses: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """Return the newest job of a training, of those in one of the statuses where some are named; ``None`` where there is none."""
    output = run.state()["output"]
    fitting = (job for job in trainings.jobs.all() if job["output"] == output)
    return next((job for job in fitting if not statuses or job["status"] in statuses), None)


def _run(request: Request) -> Run:
    return _opened(request.path_params["run"])


def _opened(name: str) -> Run:
    try:
        return open_run(name)
    except UnknownNameError as error:
        raise Problem(error.came, status=404, code="not_found", expected=error.expected) from error


def _samples(run: Run) -> list[str]:
    """Return the names of the samples of a run, in the order in which they were made; of very many an even share."""
    folder, found = run.folder / "samples", []
    with contextlib.suppress(OSError):
        names = [path.name for path in folder.iterdir()]
        found = sorted((int(match[1]), name) for name in names if (match := SAMPLE.fullmatch(name)))
    each = -(-len(found) // MOST_SAMPLES) or 1
    return [name for _, name in found[::each]]


def _parent(request: Request, fields: PlanFields) -> str | None:
    return front_of(request).pool.place(fields.from_model).source if fields.from_model else None


def _free_name(trainings: Trainings, name: str, *, is_chosen: bool) -> str:
    """Return a name that no model and no job has.

    Raises:
        Problem: It was chosen and is taken.
    """
    taken = trainings.taken()
    if name in taken and is_chosen:
        raise exists(name, param="name")
    number = 1
    while (tried := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return tried
