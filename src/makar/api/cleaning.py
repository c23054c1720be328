"""Making room again: deleting trainings, and encoded data that no training uses any more. Saved models are never touched.

A run says in ``stores.json`` which stores it uses, from before they are built; what no run names and no process is writing is unused.
Deleted stores are built again when the same data is trained on once more, so only time is lost.
"""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from makar.errors import RunLockedError
from makar.home import stores_folder
from makar.training.lock import locked
from makar.training.progress import read_curve
from makar.training.run_store import FINISHED, open_run, stored_runs


def losses(run: str) -> dict[str, Any]:
    """Return what deleting a run would lose and keep.

    Args:
        run: Its id, or a beginning that only it has.

    Returns:
        ``run``, ``folder``, ``megabytes``, ``loses`` (sentences), ``keeps`` (the model, or ``None``).

    Raises:
        RunLockedError: A process is training it.
    """
    stored = open_run(run)
    if stored.is_running():
        raise RunLockedError(
            f"{stored.id} is being trained", expected="a run that stands still", do=f"makar runs stop {stored.id}"
        )
    state = stored.state()
    curve = read_curve(stored.metrics_path)
    if state["status"] == FINISHED:
        model = str(state["artifact"])
        lost = [
            "its plan, metrics and curve",
            f"the novelty index: for assets of {model} it will be unknown whether they are copies",
            "the link from the model to its training, which makar verify can then not check",
        ]
    else:
        model = None
        lost = ["its plan, metrics and curve", f"the training itself after {curve[-1]['step'] if curve else 0:,} steps"]
    return {
        "run": stored.id,
        "folder": str(stored.folder),
        "megabytes": folder_megabytes(stored.folder),
        "loses": lost,
        "keeps": model,
    }


def remove_run(run: str) -> None:
    """Delete the folder of a run; the model that it made stays.

    Raises:
        UnknownNameError: There is no such run.
        RunLockedError: A process is training it.
    """
    open_run(run).remove()


def unused_stores() -> list[dict[str, Any]]:
    """Return folder and megabytes of every store that no run names."""
    # Loads torch, which a list of runs has no use for.
    from makar.api.novelty import remembered_stores

    used = {folder.name for run in stored_runs() for folder in remembered_stores(run.folder)}
    parent = stores_folder()
    folders = sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
    return [{"folder": str(path), "megabytes": folder_megabytes(path)} for path in folders if path.name not in used]


def remove_unused_stores() -> list[dict[str, Any]]:
    """Delete every store that no run names, unless a process is writing it; return those that are gone."""
    gone = []
    for row in unused_stores():
        folder = Path(row["folder"])
        try:
            with locked(folder):
                shutil.rmtree(folder)
        except RunLockedError:
            continue
        gone.append(row)
    return gone


def folder_megabytes(folder: Path) -> float:
    """Return the size of everything in a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            # A training that goes on replaces its files.
            with contextlib.suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total / 1e6
