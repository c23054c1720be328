"""Runs on disk: a folder each, whose files are the truth, with a lock, a state and the key by which the same command finds it again.

Layout of ``runs/ID``::

    plan.json       the frozen plan; a resume reads it and never probes again
    state.json      schema, id, key, name, status, times, what was saved where
    metrics.jsonl   append-only events
    checkpoints/ best/ results/    what the trainer keeps
    lock            held by the process that trains
    stop            present while somebody asks it to save and stop
"""

import dataclasses
import datetime
import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from makar.errors import IntegrityError, UnknownNameError, UsageError
from makar.home import runs_folder
from makar.training.catalogue import Catalogue
from makar.training.lock import lock_holder, locked
from makar.training.plan import TrainingPlan
from makar.training.whole_files import write_json

SCHEMA = 1
FINISHED = "saved"
INDEXING = "indexing"
"""The model is saved, and the training data are being indexed; the same command goes on with that."""


def run_key(*, data_fingerprint: str, options: dict[str, Any], output: str) -> str:
    """Return the hash under which the same command finds its run again.

    Args:
        data_fingerprint: Hash of the data set.
        options: Everything that was asked for: time or steps, recipe, seed, settings.
        output: Where the model goes.
    """
    text = json.dumps([data_fingerprint, options, output], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Run:
    """One training on disk."""

    folder: Path

    @property
    def id(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def metrics_path(self) -> Path:
        """The append-only events."""
        return self.folder / "metrics.jsonl"

    def state(self) -> dict[str, Any]:
        """Return what ``state.json`` says.

        Raises:
            IntegrityError: It cannot be read.
        """
        try:
            state: dict[str, Any] = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            return state
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"{self.folder} has no readable state.json: {error}", do="delete the folder"
            ) from error

    def update(self, values: dict[str, Any]) -> None:
        """Change entries of ``state.json``, as a whole, and of the catalogue."""
        state = {**self.state(), **values, "updated": _now()}
        write_json(self.folder / "state.json", state)
        Catalogue().put(state)

    def plan(self) -> TrainingPlan | None:
        """Return the frozen plan, ``None`` before there is one."""
        path = self.folder / "plan.json"
        return TrainingPlan.from_dictionary(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write_plan(self, plan: TrainingPlan) -> None:
        """Freeze the plan."""
        write_json(self.folder / "plan.json", plan.to_dictionary())
        self.update({"status": "training", "recipe": plan.recipe.name, "medium": plan.recipe.medium})

    def lock(self) -> AbstractContextManager[None]:
        """Return a context in which only this process writes the run.

        Raises:
            RunLockedError: On entering, when another process does.
        """
        return locked(self.folder, stop=f"makar runs stop {self.id}")

    def is_running(self) -> bool:
        """Return whether a process is training it now."""
        return lock_holder(self.folder) is not None

    def request_stop(self) -> bool:
        """Ask the process that trains it to save and stop; return whether there is one."""
        if not self.is_running():
            return False
        (self.folder / "stop").touch()
        return True

    def stop_requested(self) -> bool:
        """Return whether somebody asked to stop."""
        return (self.folder / "stop").exists()

    def clear_stop(self) -> None:
        """Forget that somebody asked to stop; called when the run begins or goes on."""
        (self.folder / "stop").unlink(missing_ok=True)

    def note_saved(self, artifact: Path, *, artifact_hash: str, result: dict[str, Any]) -> None:
        """Note that the artifact is saved while something is still to be done, so that a resume neither trains nor saves again."""
        self.update({"status": INDEXING, "artifact": str(artifact), "artifact_hash": artifact_hash, "result": result})

    def finish(self, artifact: Path, *, artifact_hash: str, result: dict[str, Any]) -> None:
        """Note that everything is done, and drop what only a resume needs."""
        self.update({"status": FINISHED, "artifact": str(artifact), "artifact_hash": artifact_hash, "result": result})
        for name in ("checkpoints", "best"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder and forget the run; the saved model is elsewhere and stays.

        Raises:
            RunLockedError: A process is training it.
        """
        with self.lock():
            # Without its state a folder is no run any more, so a deletion that is cut short leaves none that looks whole.
            (self.folder / "state.json").unlink(missing_ok=True)
            shutil.rmtree(self.folder)
        rebuild_catalogue()


def create_run(*, key: str, name: str, output: str, options: dict[str, Any]) -> Run:
    """Make the folder of a new run.

    Args:
        key: From ``run_key``.
        name: Of the data set; becomes part of the id.
        output: Where the model goes.
        options: Everything that was asked for, kept for ``makar runs resume``.
    """
    now = datetime.datetime.now(datetime.UTC)
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32] or "run"
    folder = runs_folder() / f"{now:%Y%m%d-%H%M%S}-{word}-{secrets.token_hex(2)}"
    folder.mkdir(parents=True)
    state = {
        "schema": SCHEMA,
        "id": folder.name,
        "key": key,
        "name": name,
        "status": "planning",
        "created": _now(),
        "updated": _now(),
        "output": output,
        "options": options,
    }
    write_json(folder / "state.json", state)
    Catalogue().put(state)
    return Run(folder)


def open_run(name: str) -> Run:
    """Return a run by its id, or by a beginning that only it has.

    Raises:
        UnknownNameError: There is none.
        UsageError: Several begin so.
    """
    known = [run.id for run in stored_runs()]
    found = [run_id for run_id in known if run_id == name] or [run_id for run_id in known if run_id.startswith(name)]
    if len(found) > 1:
        raise UsageError(
            f'{len(found)} runs begin with "{name}": {", ".join(found)}',
            expected="a beginning that only one of them has",
            do="type more of the name",
        )
    if not found:
        raise UnknownNameError("run", name, known, do="" if known else "makar train DATA --for 10m makes one")
    return Run(runs_folder() / found[0])


def stored_runs() -> Iterator[Run]:
    """Yield the runs of this machine, newest first, from their folders."""
    folder = runs_folder()
    if folder.is_dir():
        for path in sorted(folder.iterdir(), reverse=True):
            if (path / "state.json").exists():
                yield Run(path)


def find_resumable(key: str) -> Run | None:
    """Return the newest unfinished run of the same command, ``None`` when there is none."""
    for run in stored_runs():
        try:
            state = run.state()
        except IntegrityError:
            continue
        if state["key"] == key and state["status"] != FINISHED:
            return run
    return None


def rebuild_catalogue() -> int:
    """Make the catalogue anew from the folders; return the number of runs."""
    states = []
    for run in stored_runs():
        try:
            states.append(run.state())
        except IntegrityError:
            continue
    Catalogue().replace_all(states)
    return len(states)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
