"""Jobs that train, by themselves: what becomes of them when they are stopped, gone on with, or in one another's way."""

import asyncio
import json
from pathlib import Path

import pytest

from makar.serving.problems import Problem
from makar.serving.shelf import Shelf
from makar.serving.tuning import Trainings, new_job, shown
from makar.serving.tuning_fields import TuningFields


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """Return the jobs of a server that is not started."""
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    return Trainings(Shelf(tmp_path / "jobs", kind="ftjob-"), Shelf(tmp_path / "files", kind="file-"))


def asked(trainings, suffix, *, data=b'{"text": "a"}\n', **changes):
    """Keep a job as a request makes it."""
    file = trainings.files.new_id()
    trainings.files.put(file, {"filename": "talks.jsonl"}, data)
    fields = TuningFields(model="poe", training_file=file, suffix=suffix)
    job = new_job(fields, trainings, "/models/poe", "poe") | changes
    trainings.jobs.put(job["id"], job)
    return job


def save(job):
    """Put a model where a job is to make one."""
    place = Path(job["output"])
    place.mkdir(parents=True)
    (place / "manifest.json").write_text("{}", encoding="utf-8")


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
    with pytest.raises(Problem, match="there is a model poe-talks"):
        asyncio.run(trainings._train(job))


def test_a_model_that_its_own_training_saved_is_the_result(trainings):
    job = asked(trainings, "talks", has_begun=True)
    save(job)
    asyncio.run(trainings._train(job))
    ended = trainings.jobs.get(job["id"])
    assert ended["status"] == "succeeded" and shown(ended)["fine_tuned_model"] == "poe-talks"
    assert "has_begun" not in shown(ended)
