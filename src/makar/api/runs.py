"""The trainings of this machine: list, details, comparison, and asking one to stop."""

from collections.abc import Sequence
from typing import Any

from makar.api.cleaning import folder_megabytes
from makar.errors import UsageError
from makar.training.catalogue import Catalogue
from makar.training.progress import read_curve
from makar.training.run_store import open_run, rebuild_catalogue, stored_runs


def all_runs() -> list[dict[str, Any]]:
    """Return one row a run, newest first; the catalogue is rebuilt when it does not match the folders."""
    stored = {run.id: run for run in stored_runs()}
    running = {name: run.is_running() for name, run in stored.items()}
    rows = Catalogue().rows()
    if {row["id"] for row in rows} != set(running):
        rebuild_catalogue()
        rows = Catalogue().rows()
    shown = ("id", "name", "medium", "recipe", "status", "inner_loss", "created", "artifact")
    result = []
    for row in rows:
        values = {name: row[name] for name in shown}
        # What a killed process wrote last would say that it still trains.
        if running[row["id"]]:
            values["status"] = "running"
        elif values["status"] == "training":
            values["status"] = "stopped"
        values["megabytes"] = folder_megabytes(stored[row["id"]].folder)
        result.append(values)
    return result


def run_details(run: str) -> dict[str, Any]:
    """Return state, plan and curve of a run.

    Args:
        run: Its id, or a beginning that only it has.
    """
    stored = open_run(run)
    plan = stored.plan()
    return {
        **stored.state(),
        "folder": str(stored.folder),
        "is_running": stored.is_running(),
        "plan": None if plan is None else plan.to_dictionary(),
        "curve": [_point(line) for line in read_curve(stored.metrics_path) if line["event"] == "validation"],
    }


def compare_runs(runs: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row a quantity that differs between runs, with one column a run.

    Raises:
        UsageError: Fewer than two runs were named.
    """
    if len(runs) < 2:
        raise UsageError(f"{len(runs)} run to compare", expected="two or more", do="makar runs list")
    columns = {open_run(run).id: _flat(_compared(run)) for run in runs}
    names: dict[str, None] = {}
    for values in columns.values():
        names |= dict.fromkeys(values)
    rows: list[dict[str, Any]] = []
    for name in names:
        found = [values.get(name) for values in columns.values()]
        if any(value != found[0] for value in found):
            rows.append({"what": name, **dict(zip(columns, found))})
    return rows


def stop_run(run: str) -> bool:
    """Ask a training to save and stop; return whether one was running."""
    return open_run(run).request_stop()


def _compared(run: str) -> dict[str, Any]:
    stored = open_run(run)
    plan, state = stored.plan(), stored.state()
    chosen = {"name": state["name"], "status": state["status"], "result": state.get("result", {})}
    return chosen | ({} if plan is None else {"plan": plan.to_dictionary()})


def _flat(values: Any, path: str = "") -> dict[str, Any]:
    if isinstance(values, dict):
        items = list(values.items())
    elif isinstance(values, list) and any(isinstance(item, dict | list) for item in values):
        items = [(str(index), item) for index, item in enumerate(values)]
    else:
        return {path: values}
    flat: dict[str, Any] = {}
    for name, item in items:
        flat |= _flat(item, f"{path}.{name}" if path else str(name))
    return flat


def _point(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line.get(name) for name in ("stage", "step", "seconds", "inner_loss", "is_best")}
