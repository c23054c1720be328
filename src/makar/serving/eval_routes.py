"""The routes of /v1/evals; see ``evals``."""

from typing import Any

from fastapi import Request, Response

from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.eval_fields import (
    EvalChangeFields,
    EvalFields,
    EvalRunFields,
    asking_of,
    criteria_of,
    source_config_of,
)
from makar.serving.evals import NO_ERROR, Evals
from makar.serving.front import answer, front_of, now
from makar.serving.problems import Problem
from makar.serving.store_fields import checked_metadata
from makar.serving.uploads import filter_of, page

STATUSES = ("pass", "fail", "error")
RUN_STATUSES = ("queued", "in_progress", "completed", "canceled", "failed")


def evals_of(request: Request) -> Evals:
    """Return the evaluations of the server that a request came to."""
    evals: Evals = request.app.state.evals
    return evals


def _run_of(request: Request) -> dict[str, Any]:
    return evals_of(request).run(request.path_params["eval"], request.path_params["run"])


def _shown(evals: Evals, run: dict[str, Any]) -> dict[str, Any]:
    """Return a run with what it has found up to now."""
    rows = evals.results(run["id"])
    ends = [row["status"] for row in rows]
    counts = {"passed": ends.count("pass"), "failed": ends.count("fail"), "errored": ends.count("error")}
    each: dict[str, dict[str, int]] = {name: {"passed": 0, "failed": 0} for name in run["criteria"]}
    used: dict[str, dict[str, Any]] = {}
    for row in rows:
        for result in row["results"]:
            each[result["name"]]["passed" if result["passed"] else "failed"] += 1
        model = row["sample"]["model"]
        total = used.setdefault(model, {"model_name": model, "invocation_count": 0})
        total["invocation_count"] += 1
        for name, count in row["sample"]["usage"].items():
            total[name] = total.get(name, 0) + count
    kept = {name: value for name, value in run.items() if name not in ("criteria", "items")}
    return kept | {
        "result_counts": {**counts, "total": run["items"]},
        "per_testing_criteria_results": [{"testing_criteria": name, **found} for name, found in each.items()],
        "per_model_usage": [one for one in used.values() if one["model_name"]],
    }


async def create_eval(request: Request) -> Response:
    """Make an evaluation."""
    fields, ignored = read_fields(EvalFields, await read_json(request))
    evals = evals_of(request)
    made: dict[str, Any] = {
        "id": evals.kept.new_id(),
        "object": "eval",
        "created_at": now(),
        "name": fields.name,
        "metadata": checked_metadata(fields.metadata),
        "data_source_config": source_config_of(fields.data_source_config),
        "testing_criteria": criteria_of(fields.testing_criteria),
    }
    evals.kept.put(made["id"], made)
    return answer(made, ignored_header(ignored))


async def list_evals(request: Request) -> Response:
    """List the evaluations, the newest first."""
    return answer(page(evals_of(request).kept.all(), request))


async def one_eval(request: Request) -> Response:
    """Describe an evaluation."""
    return answer(evals_of(request).kept.get(request.path_params["eval"]))


async def change_eval(request: Request) -> Response:
    """Change the name or the metadata of an evaluation."""
    fields, ignored = read_fields(EvalChangeFields, await read_json(request))
    evals = evals_of(request)
    made = evals.kept.get(request.path_params["eval"])
    made |= {} if fields.name is None else {"name": fields.name}
    made |= {} if fields.metadata is None else {"metadata": checked_metadata(fields.metadata)}
    evals.kept.put(made["id"], made)
    return answer(made, ignored_header(ignored))


async def delete_eval(request: Request) -> Response:
    """Delete an evaluation with its runs."""
    name = request.path_params["eval"]
    evals_of(request).remove(name)
    return answer({"object": "eval.deleted", "deleted": True, "eval_id": name})


async def create_run(request: Request) -> Response:
    """Begin to ask and to grade."""
    fields, ignored = read_fields(EvalRunFields, await read_json(request))
    evals = evals_of(request)
    evaluation = evals.kept.get(request.path_params["eval"])
    asking, rows = asking_of(fields.data_source), evals.items(fields.data_source)
    if asking.model:
        front_of(request).pool.place(asking.model)
    run = {
        "id": evals.runs.new_id(),
        "object": "eval.run",
        "eval_id": evaluation["id"],
        "report_url": "",
        "status": "queued",
        "model": asking.model,
        "name": fields.name,
        "created_at": now(),
        "data_source": fields.data_source,
        "error": NO_ERROR,
        "metadata": checked_metadata(fields.metadata),
        "criteria": [one["name"] for one in evaluation["testing_criteria"]],
        "items": len(rows),
    }
    run["report_url"] = f"/v1/evals/{evaluation['id']}/runs/{run['id']}/output_items"
    evals.begin(run)
    return answer(_shown(evals, run), ignored_header(ignored))


async def list_runs(request: Request) -> Response:
    """List the runs of an evaluation, the oldest first, as the official client expects them."""
    evals, status = evals_of(request), filter_of(request, "status", RUN_STATUSES)
    evaluation = evals.kept.get(request.path_params["eval"])
    found = [_shown(evals, run) for run in evals.runs_of(evaluation["id"]) if status in (None, run["status"])]
    return answer(page(found, request, usual="asc"))


async def one_run(request: Request) -> Response:
    """Say how far a run is and what it has found."""
    return answer(_shown(evals_of(request), _run_of(request)))


async def cancel_run(request: Request) -> Response:
    """Leave what is not asked yet."""
    evals = evals_of(request)
    return answer(_shown(evals, evals.cancel(request.path_params["eval"], request.path_params["run"])))


async def delete_run(request: Request) -> Response:
    """Delete a run with its results."""
    name = request.path_params["run"]
    evals_of(request).remove_run(request.path_params["eval"], name)
    return answer({"object": "eval.run.deleted", "deleted": True, "run_id": name})


async def list_output_items(request: Request) -> Response:
    """List what was found of every item, in their order."""
    status = filter_of(request, "status", STATUSES)
    rows = evals_of(request).results(_run_of(request)["id"])
    return answer(page([row for row in reversed(rows) if status in (None, row["status"])], request, usual="asc"))


async def one_output_item(request: Request) -> Response:
    """Say what was found of an item."""
    name = request.path_params["item"]
    for row in evals_of(request).results(_run_of(request)["id"]):
        if row["id"] == name:
            return answer(row)
    raise Problem(f"there is no {name[:60]!a}", status=404, code="not_found", param="id")
