"""/v1/fine_tuning/jobs: trainings of Makar, begun, watched, paused, gone on with and ended over HTTP.

A job is ``makar train FILE --from MODEL`` in a process of its own; its run is an ordinary run of this machine, which ``makar runs`` lists
too. So a job outlives the server: state and events are read from the run. Pausing saves and stops the run, resuming goes on with it where
it was. Cancelling saves and stops too, and the job does not go on. One job trains at a time; the others wait in the order in which they
came.
"""

import asyncio
import contextlib
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

from fastapi import Request, Response

from makar.data.feedback.source import FEEDBACK_PREFIX
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.errors import EmptyDataError, MakarError
from makar.home import models_folder, runs_folder
from makar.provenance.folder import MANIFEST_NAME
from makar.registry import names
from makar.serving.background import Background
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, front_of, now
from makar.serving.places import saved_names
from makar.serving.problems import Problem
from makar.serving.process import own_environment
from makar.serving.shelf import Shelf
from makar.serving.tuning_fields import TuningFields, checked_name, tuning_of
from makar.serving.uploads import page
from makar.training.lock import lock_holder
from makar.training.progress import UNREADABLE, read_curve, read_lines
from makar.training.run_store import Run

LOG = logging.getLogger("makar.serving")
WAITS, RUNS, PAUSES, ENDED = ("queued",), ("running",), ("paused",), ("succeeded", "failed", "cancelled")
LONGEST_MESSAGE = 1000
LOOK_SECONDS = 1.0
"""How often it is looked whether a training that outlived its server has ended."""

METADATA = re.compile(r"metadata\[(.+)\]", re.DOTALL)
WARNINGS = ("warning", "rolled_back", "unhealthy", "gave_up", "hurried")
SUFFIX = re.compile(r"(?:\.[a-z0-9]{1,10}){1,2}$")
"""What the name of an uploaded file says of what it holds: of ``talks.jsonl.gz`` both parts."""


class Trainings:
    """The jobs of a server.

    Args:
        jobs: Where they are kept.
        files: Where the data is.
    """

    def __init__(self, jobs: Shelf, files: Shelf) -> None:
        self.jobs = jobs
        self.files = files
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._background = Background(self._step)

    def start(self) -> None:
        """Begin to work on what waits; what ran when the server ended is looked at again."""
        self._background.start()

    async def stop(self) -> None:
        """Save and stop what runs; it goes on when the server is started again."""
        running = list(self._running.values())
        await self._background.stop()
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await asyncio.gather(*(process.wait() for process in running))

    def taken(self) -> set[str]:
        """Return the names of models that are there, or that a job is to make."""
        pending = (job for job in self.jobs.all() if job["status"] not in ENDED)
        return {*saved_names(), *(Path(job["output"]).name for job in pending)}

    def put(self, job: dict[str, Any]) -> None:
        """Take a new job."""
        self.jobs.put(job["id"], job)
        self._background.wake()

    def _change(self, name: str, **values: Any) -> dict[str, Any]:
        job = {**self.jobs.get(name), **values}
        self.jobs.put(name, job)
        return job

    def ask(self, name: str, status: str) -> dict[str, Any]:
        """Pause a job, go on with it, or cancel it.

        Args:
            name: Its id.
            status: ``"paused"``, ``"queued"`` or ``"cancelled"``.

        Raises:
            Problem: It is over, or is not paused.
        """
        job = self.jobs.get(name)
        allowed = {"paused": (*WAITS, *RUNS), "queued": PAUSES, "cancelled": (*WAITS, *RUNS, *PAUSES)}[status]
        if job["status"] not in allowed:
            raise Problem(
                f"the job is {job['status']}", status=400, code="invalid_state", expected=f"{' or '.join(allowed)}"
            )
        was_running, process = job["status"] in RUNS, self._running.get(name)
        job = self._change(name, status=status, finished_at=now() if status == "cancelled" else None)
        if was_running and process is not None:
            # The training saves and ends; it is the same as Ctrl-C in the shell.
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        elif was_running and (folder := self.run_of(job)) is not None:
            # One that outlived a server that was killed is asked as ``makar runs stop`` asks it.
            Run(folder).request_stop()
        self._background.wake()
        return job

    async def _step(self) -> bool:
        # What ran when a server ended, or when its end could not be written down, comes first: it may be at work still.
        open_ones = [job for job in reversed(self.jobs.all()) if job["status"] in (*RUNS, *WAITS)]
        if not open_ones:
            return False
        job = min(open_ones, key=lambda job: job["status"] in WAITS)
        job = self._change(job["id"], status="running")
        try:
            await self._train(job)
        except (MakarError, OSError) as error:
            LOG.warning("the job %s failed: %s", job["id"], error)
            self._end(job["id"], 1, str(error))
        return True

    async def _train(self, job: dict[str, Any]) -> None:
        name, words = job["id"], self._words(job)
        # A server that was killed leaves its training at work: that is waited for, and what it made is the result.
        while (folder := self.run_of(job)) is not None and lock_holder(folder) is not None:
            await asyncio.sleep(LOOK_SECONDS)
        if not self._is_wanted(name):
            return
        if (Path(job["output"]) / MANIFEST_NAME).is_file():
            if not job.get("has_begun"):
                # Somebody else made it while the job waited, of other data.
                raise exists(Path(job["output"]).name, param="suffix")
            self._end(name, 0, "")
            return
        self._change(name, has_begun=True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "makar", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=own_environment(),
            start_new_session=True,
        )
        self._running[name] = process
        if not self._is_wanted(name):
            process.terminate()
        try:
            said, _ = await process.communicate()
        finally:
            self._running.pop(name, None)
        self._end(name, process.returncode or 0, said.decode("utf-8", "replace"))

    def _is_wanted(self, name: str) -> bool:
        """Return whether a job that is being worked on is still to be: nobody paused or cancelled it meanwhile."""
        return self.jobs.get(name)["status"] in RUNS

    def _words(self, job: dict[str, Any]) -> list[str]:
        """Return the words of the shell that a job is; those of the studio bring their own."""
        if "words" in job:
            return [*job["words"], "--json"]
        is_said = is_feedback(job["training_file"])
        # Its name says what a file holds; of the uploaded name only that part is taken.
        source = job["training_file"] if is_said else str(self.files.copy(job["training_file"], job["data_suffix"]))
        words = ["train", source, "--from", job["source"], "-o", job["output"], *job["length"]]
        words += ["--recipe", job["recipe"]] if job["recipe"] else []
        return [*words, "--seed", str(job["seed"]), "--json"]

    def _end(self, name: str, code: int, said: str) -> None:
        # One that was paused and at once gone on with, before it had saved, waits for its next turn.
        if not self._is_wanted(name):
            return
        if code == 0:
            self._change(name, status="succeeded", finished_at=now())
            return
        message = said.strip()[-LONGEST_MESSAGE:]
        with contextlib.suppress(ValueError, KeyError, TypeError):
            values = json.loads(said)
            message = "; ".join(values[part] for part in ("came", "expected", "do") if values[part])
        error = {"code": "failed", "message": message[-LONGEST_MESSAGE:], "param": None}
        self._change(name, status="failed", finished_at=now(), error=error)

    def run_of(self, job: dict[str, Any]) -> Path | None:
        """Return the folder of the run of a job, ``None`` before there is one."""
        if not runs_folder().is_dir():
            return None
        for folder in sorted(runs_folder().iterdir(), reverse=True):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
                if state["output"] == job["output"]:
                    return folder
        return None


def shown(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job in OpenAI's shape; a paused one is shown as queued, with ``is_paused``."""
    is_done = job["status"] == "succeeded"
    hidden = ("source", "output", "length", "data_suffix", "recipe", "hyperparameters", "words", "has_begun")
    kept = {name: value for name, value in job.items() if name not in hidden}
    return kept | {
        "status": "queued" if job["status"] in PAUSES else job["status"],
        "is_paused": job["status"] in PAUSES,
        "fine_tuned_model": Path(job["output"]).name if is_done else None,
        "hyperparameters": {"n_epochs": "auto"},
        "makar": {
            "hyperparameters": job["hyperparameters"],
            "recipe": job["recipe"],
            "output": Path(job["output"]).name,
        },
    }


def new_job(fields: TuningFields, trainings: Trainings, source: str, model: str) -> dict[str, Any]:
    """Return a job.

    Args:
        fields: What was asked.
        trainings: The jobs of the server.
        source: The folder of the model to begin from.
        model: Its name.

    Raises:
        Problem: There is no such file, or a model of the name is there or will be.
        ConfigError: The name of the new model is none.
    """
    tuning = tuning_of(fields)
    if tuning.recipe is not None and tuning.recipe not in names("recipes"):
        raise Problem(
            f"there is no recipe {tuning.recipe[:40]!a}", status=400, code="unknown_name", expected="makar list recipes"
        )
    data, suffix = fields.training_file, None
    if is_feedback(data):
        # What is said from now on belongs to the next training, also when this one is resumed.
        data = fixed_feedback(data)
    else:
        suffix = SUFFIX.search(trainings.files.get(data)["filename"].lower())
    name = trainings.jobs.new_id()
    output = models_folder() / f"{model}-{checked_name(fields.suffix, name[-8:])}"
    if output.exists() or output.name in trainings.taken():
        raise exists(output.name, param="suffix")
    return {
        "id": name,
        "object": "fine_tuning.job",
        "created_at": now(),
        "error": None,
        "finished_at": None,
        "hyperparameters": tuning.hyperparameters,
        "model": model,
        "organization_id": "makar",
        "result_files": [],
        "seed": fields.seed or 0,
        "status": "queued",
        "trained_tokens": None,
        "training_file": data,
        "validation_file": None,
        "metadata": fields.metadata or {},
        "method": {"type": tuning.method},
        "source": source,
        "output": str(output),
        "length": list(tuning.length),
        "recipe": tuning.recipe,
        "data_suffix": suffix[0] if suffix else ".jsonl",
    }


def exists(name: str, *, param: str) -> Problem:
    """Return the error of a name that a model has, or will have; ``param`` is the field that gave it."""
    return Problem(f"there is a model {name}", status=409, code="exists", expected=f"another {param}", param=param)


def is_feedback(data: str) -> bool:
    """Return whether the data of a job is what people said."""
    return data.startswith(FEEDBACK_PREFIX)


def fixed_feedback(data: str) -> str:
    """Return feedback as data, ending with the newest judgement that there is where it does not say where it ends.

    Raises:
        EmptyDataError: There is none.
    """
    rater, _, until = data.removeprefix(FEEDBACK_PREFIX).partition("@fb-")
    if until:
        return data
    last = FeedbackTable().last_id(Wanted(rater=rater, consent=True))
    if not last:
        raise EmptyDataError(f"there is no feedback in {data[:60]!a}", expected="judgements with consent")
    return f"{FEEDBACK_PREFIX}{rater}@{last}"


def trainings_of(request: Request) -> Trainings:
    """Return the jobs of the server that a request came to."""
    trainings: Trainings = request.app.state.trainings
    return trainings


async def create_job(request: Request) -> Response:
    """Begin a job."""
    fields, ignored = read_fields(TuningFields, await read_json(request))
    place = front_of(request).pool.place(fields.model)
    job = new_job(fields, trainings_of(request), place.source, place.name)
    trainings_of(request).put(job)
    return answer(shown(job), ignored_header(ignored))


async def list_jobs(request: Request) -> Response:
    """List the jobs, the newest first; those with the metadata that are asked for only, as ``metadata[NAME]=VALUE``."""
    named = ((METADATA.fullmatch(name), value) for name, value in request.query_params.items())
    wanted = {found[1]: value for found, value in named if found}
    jobs = (job for job in trainings_of(request).jobs.all() if wanted.items() <= job["metadata"].items())
    return answer(page([shown(job) for job in jobs], request))


async def one_job(request: Request) -> Response:
    """Describe a job."""
    return answer(shown(trainings_of(request).jobs.get(request.path_params["job"])))


async def cancel_job(request: Request) -> Response:
    """Save, stop and do not go on."""
    return answer(shown(trainings_of(request).ask(request.path_params["job"], "cancelled")))


async def pause_job(request: Request) -> Response:
    """Save and stop."""
    return answer(shown(trainings_of(request).ask(request.path_params["job"], "paused")))


async def resume_job(request: Request) -> Response:
    """Go on where it was."""
    return answer(shown(trainings_of(request).ask(request.path_params["job"], "queued")))


async def job_events(request: Request) -> Response:
    """List what happened in a job, the newest first."""
    trainings = trainings_of(request)
    job = trainings.jobs.get(request.path_params["job"])
    folder = trainings.run_of(job)
    lines = [] if folder is None else read_lines(folder / "metrics.jsonl")
    is_training = folder is not None and lock_holder(folder) is not None
    found = [_event(job, number, line) for number, line in enumerate(lines) if line["event"] != UNREADABLE]
    status = {"event": job["status"], "is_training": is_training}
    return answer(page([_event(job, len(lines), status), *reversed(found)], request))


def _event(job: dict[str, Any], number: int, line: dict[str, Any]) -> dict[str, Any]:
    figures = {name: value for name, value in line.items() if isinstance(value, int | float)}
    said = line.get("message") or ", ".join(f"{name} {value:g}" for name, value in figures.items())
    return {
        "id": f"ftevent-{job['id'][-12:]}-{number}",
        "object": "fine_tuning.job.event",
        "created_at": job["created_at"] + int(line.get("seconds", 0)),
        "level": "warn" if line["event"] in WARNINGS else "info",
        "message": f"{line['event']}: {said}" if said else str(line["event"]),
        "type": "metrics" if figures else "message",
        "data": figures,
    }


async def job_checkpoints(request: Request) -> Response:
    """List the states that were better than all before, the newest first."""
    trainings = trainings_of(request)
    job = trainings.jobs.get(request.path_params["job"])
    folder = trainings.run_of(job)
    lines = [] if folder is None else read_curve(folder / "metrics.jsonl")
    best = [line for line in lines if line["event"] == "validation" and line.get("is_best")]
    found = [
        {
            "id": f"ftckpt-{job['id'][-12:]}-{line['step']}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": job["created_at"] + int(line.get("seconds", 0)),
            "fine_tuned_model_checkpoint": f"{Path(job['output']).name}:{line['step']}",
            "fine_tuning_job_id": job["id"],
            "step_number": line["step"],
            "metrics": {"step": line["step"], "full_valid_loss": line.get("inner_loss")},
        }
        for line in best
    ]
    return answer(page(list(reversed(found)), request))
