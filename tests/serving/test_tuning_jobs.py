"""Jobs that train, by themselves: what becomes of them when they are stopped, gone on with, or in one another's way."""

import asyncio
import gzip
import json
import sys
import types
from pathlib import Path

import pytest
from fastapi import Request

from makar.data.sniffing import sniff
from makar.errors import OutOfSpaceError
from makar.serving.problems import Problem
from makar.serving.shelf import Shelf
from makar.serving.tuning import Trainings, job_events, new_job, shown
from makar.serving.tuning_fields import TuningFields
from makar.training.run_store import create_run


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """Return the jobs of a server that is not started."""
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    return Trainings(Shelf(tmp_path / "jobs", kind="ftjob-"), Shelf(tmp_path / "files", kind="file-"))


def asked(trainings, suffix, *, data=b'{"text": "a"}\n', filename="talks.jsonl", **changes):
    """Keep a job as a request makes it."""
    file = trainings.files.new_id()
    trainings.files.put(file, {"filename": filename}, data)
    fields = TuningFields(model="poe", training_file=file, suffix=suffix)
    job = new_job(fields, trainings, "/models/poe", "poe") | changes
    trainings.jobs.put(job["id"], job)
    return job


def save(job):
    """Put a model where a job is to make one."""
    place = Path(job["output"])
    place.mkdir(parents=True)
    (place / "manifest.json").write_text("{}", encoding="utf-8")


def test_the_data_of_a_job_are_whole_and_go_with_the_file(trainings, tmp_path):
    job = asked(trainings, "talks", data=b'{"text": "a secret"}\n')
    data = Path(trainings._words(job)[1])
    assert data.suffix == ".jsonl" and data.read_bytes() == b'{"text": "a secret"}\n'
    # What a full disk or a kill could leave of it.
    data.write_bytes(b'{"text"')
    assert Path(trainings._words(job)[1]).read_bytes() == b'{"text": "a secret"}\n'
    trainings.files.remove(job["training_file"])
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    with pytest.raises(Problem, match="there is no"):
        trainings._words(job)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("talks.jsonl.gz", ("compressed", "gz")),
        ("Names.CoNLL", ("table", "conll")),
        ("x.smi", ("table", "smi")),
        ("a.b/c.csv", ("table", "csv")),
        ("b.rs", ("code", "rust")),
        ("talks", ("table", "jsonl")),
        ("..", ("table", "jsonl")),
    ],
)
def test_the_name_of_an_uploaded_file_says_what_it_holds(trainings, name, kind):
    content = {"compressed": gzip.compress(b'{"text": "a"}\n'), "code": b"fn main() {}\n"}.get(
        kind[0], b'{"text": "a"}\n'
    )
    data = Path(trainings._words(asked(trainings, "talks", data=content, filename=name))[1])
    found = sniff(data.name, data.read_bytes())
    assert (found.group, found.form) == kind and data.parent.name == "data"
    if kind[0] == "compressed":
        assert sniff(data.name, gzip.decompress(content)).form == "jsonl"


def test_two_jobs_never_make_one_model(trainings):
    job = asked(trainings, "talks")
    assert trainings.taken() == {"poe-talks"}
    with pytest.raises(Problem, match="there is a model poe-talks"):
        asked(trainings, "talks")
    trainings.ask(job["id"], "cancelled")
    assert asked(trainings, "talks")["output"] == job["output"]


def test_a_model_that_somebody_else_saved_meanwhile_is_no_result(trainings):
    job = asked(trainings, "talks")
    save(job)
    assert asyncio.run(trainings._step())
    ended = trainings.jobs.get(job["id"])
    assert ended["status"] == "failed" and "there is a model poe-talks" in ended["error"]["message"]


def test_a_model_that_its_own_training_saved_is_the_result(trainings):
    job = asked(trainings, "talks", has_begun=True)
    save(job)
    assert asyncio.run(trainings._step())
    ended = trainings.jobs.get(job["id"])
    assert ended["status"] == "succeeded" and shown(ended)["fine_tuned_model"] == "poe-talks"
    assert "has_begun" not in shown(ended) and not asyncio.run(trainings._step())


def test_the_events_of_a_job_are_all_that_its_run_wrote_down(trainings):
    job = asked(trainings, "talks")
    run = create_run(key="0" * 64, name="talks", output=job["output"], options={})
    lines = [
        {"event": "progress", "stage": "a", "seconds": 1, "step": 9, "loss": 2.5},
        {"event": "rolled_back", "stage": "a", "seconds": 2, "step": 5, "message": "the loss is no number"},
        {"event": "progress", "stage": "a", "seconds": 3, "step": 6, "loss": 2.0},
    ]
    written = [json.dumps(line) for line in lines]
    run.metrics_path.write_text("\n".join([*written[:2], '{"torn', written[2], ""]), encoding="utf-8")
    app = types.SimpleNamespace(state=types.SimpleNamespace(trainings=trainings))
    scope = {"type": "http", "app": app, "path_params": {"job": job["id"]}, "query_string": b"", "headers": []}
    status, last, warned, first = json.loads(asyncio.run(job_events(Request(scope))).body)["data"]
    assert first["id"].endswith("-0") and first["data"]["step"] == 9 and last["id"].endswith("-3")
    assert (warned["level"], last["level"]) == ("warn", "info") and "no number" in warned["message"]
    assert status["message"].startswith("queued")


STOPS = """
import pathlib, signal, sys, time
def stop(*_):
    print('{"came": "stopped at step 3", "expected": "", "do": "run it again"}')
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
"""A process that saves and stops when it is asked to, as a training does, and is there at once."""


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """Let every training be such a process; return those that were begun."""
    begun, real = [], asyncio.create_subprocess_exec

    async def begin(*words, **more):
        begun.append(await real(sys.executable, "-c", STOPS, str(tmp_path / f"stops-{len(begun)}"), **more))
        return begun[-1]

    monkeypatch.setattr("asyncio.create_subprocess_exec", begin)
    monkeypatch.setattr("makar.serving.tuning.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("makar.serving.background.AGAIN_SECONDS", 0.01)
    return begun


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_job_that_is_paused_and_gone_on_with_before_it_has_saved_goes_on(trainings, processes, tmp_path):
    job = asked(trainings, "talks")

    async def work():
        trainings.start()
        await until((tmp_path / "stops-0").exists)
        trainings.ask(job["id"], "paused")
        trainings.ask(job["id"], "queued")
        await until((tmp_path / "stops-1").exists)
        assert processes[0].returncode == 130 and trainings.jobs.get(job["id"])["status"] == "running"
        trainings.ask(job["id"], "cancelled")
        await until(lambda: processes[1].returncode == 130)
        await trainings.stop()

    asyncio.run(work())
    assert trainings.jobs.get(job["id"])["status"] == "cancelled" and len(processes) == 2


def test_a_job_that_is_cancelled_while_its_process_begins_is_ended(trainings, processes, monkeypatch):
    job, begin = asked(trainings, "talks"), asyncio.create_subprocess_exec

    async def cancelled(*words, **more):
        process = await begin(*words, **more)
        trainings.ask(job["id"], "cancelled")
        return process

    monkeypatch.setattr("asyncio.create_subprocess_exec", cancelled)
    asyncio.run(trainings._step())
    assert processes[0].returncode and trainings.jobs.get(job["id"])["status"] == "cancelled"


@pytest.mark.parametrize("status", ["paused", "cancelled"])
def test_a_training_that_outlived_its_server_is_stopped_and_none_begun_for_it(trainings, processes, status):
    job = asked(trainings, "talks", status="running", has_begun=True)
    run = create_run(key="0" * 64, name="talks", output=job["output"], options={})

    async def work():
        with run.lock():
            trainings.start()
            trainings.ask(job["id"], status)
            assert run.stop_requested()
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        await trainings.stop()

    asyncio.run(work())
    assert trainings.jobs.get(job["id"])["status"] == status and not processes


def test_a_disk_that_is_full_for_a_while_ends_no_queue(trainings, processes, tmp_path, monkeypatch, caplog):
    job, put, left = asked(trainings, "talks"), trainings.jobs.put, [None] * 3

    def full(*words):
        if left:
            left.pop()
            raise OutOfSpaceError("the disk is full")
        put(*words)

    async def work():
        monkeypatch.setattr(trainings.jobs, "put", full)
        trainings.start()
        await until((tmp_path / "stops-0").exists)
        await trainings.stop()

    asyncio.run(work())
    assert not left and trainings.jobs.get(job["id"])["status"] == "running" and "disk is full" in caplog.text
