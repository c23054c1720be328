"""The trainings of this machine: list, details, comparison, and asking one to stop."""

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any

from makar.api.cleaning import folder_megabytes
from makar.errors import IntegrityError, UsageError
from makar.training.catalogue import Catalogue, catalogue_rows
from makar.training.progress import read_curve
from makar.training.run_store import FINISHED, open_run, rebuild_catalogue, stored_runs


def all_runs() -> list[dict[str, Any]]:
    """Return one row a run, newest first; the catalogue is rebuilt when it does not say what the folders say."""
    stored = {run.id: run for run in stored_runs()}
    running = {name: run.is_running() for name, run in stored.items()}
    rows = _catalogued(_recorded())
    shown = ("id", "name", "medium", "recipe", "status", "inner_loss", "created", "artifact")
    result = []
    for row in rows:
        # It began, or was deleted, while this was read.
        if row["id"] not in stored:
            continue
        values = {name: row[name] for name in shown}
        # What a killed process wrote last would say that it still trains.
        if running.get(row["id"], False):
            values["status"] = "running"
        elif values["status"] != FINISHED:
            values["status"] = "stopped"
        values["megabytes"] = folder_megabytes(stored[row["id"]].folder)
        result.append(values)
    return result


def _recorded() -> dict[str, tuple[str, str]]:
    """Return (status, time of the last change) of every run whose state can be read, as its folder says."""
    found = {}
    for run in stored_runs():
        with contextlib.suppress(IntegrityError):
            state = run.state()
            found[run.id] = (state["status"], state["updated"])
    return found


def _catalogued(recorded: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the rows of the catalogue, after rebuilding it when it says something else than the folders."""
    for _ in range(2):
        with contextlib.suppress(sqlite3.Error):
            rows = Catalogue().rows()
            if {row["id"]: (row["status"], row["updated"]) for row in rows} == recorded:
                return rows
        with contextlib.suppress(sqlite3.Error):
            rebuild_catalogue()
    # It cannot be written, or somebody trains on meanwhile: the folders themselves are the truth.
    states = []
    for run in stored_runs():
        with contextlib.suppress(IntegrityError):
            states.append(run.state())
    return catalogue_rows(states)


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
