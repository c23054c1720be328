"""``torchrun`` and the verb ``train``: one run, one model, one plan, printed once; a failure of the first process ends all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import makar
from makar.api.runs import all_runs
from makar.api.several import Lead
from makar.errors import UsageError
from makar.home import home
from makar.training import distributed
from makar.training.distributed import Team

ROOT = Path(__file__).parents[2]


def torchrun(*words, processes=2):
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", str(processes)]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "-m", "makar", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "MAKAR_HOME": str(home())}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.slow
def test_two_processes_make_one_run_and_one_model(tmp_path):
    done = torchrun("train", "builtin:digits", "--steps", "6", "-o", str(tmp_path / "model"), "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    (row,) = all_runs()
    assert (row["id"], row["status"]) == (values["run"], "saved")
    assert values["results"][0]["steps"] == 6
    model = makar.load(tmp_path / "model")
    assert model.hash == values["hash"] and model.novelty_index() is not None
    assert model.artifact.header["training"]["processes"] == 2
    lines = (home() / "runs" / row["id"] / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events.count("started") == events.count("finished") == 1
    # The plan of one process goes on with the same bits in the inner loss, up to the draws that differ by process.
    alone = makar.train("builtin:digits", steps=6, output=tmp_path / "alone")
    assert values["results"][0]["inner_loss"] == pytest.approx(alone.results[0].inner_loss, rel=0.25)
    again = torchrun("runs", "resume", row["id"], "--json")
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_a_failure_of_the_first_process_ends_all(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary", encoding="utf-8")
    done = torchrun("train", "builtin:digits", "--steps", "6", "-o", str(tmp_path / "mine"))
    assert done.returncode != 0 and "mine exists" in done.stderr
    assert all_runs() == []


def test_several_processes_without_torchrun_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in distributed.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="RANK"):
        makar.train("builtin:digits", steps=2)


def test_more_processes_than_devices_are_refused(monkeypatch):
    for name, value in {
        "WORLD_SIZE": "2",
        "RANK": "1",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="1 CUDA device"):
        Team("cuda")


def test_each_process_takes_the_device_of_its_number(monkeypatch):
    for name, value in {
        "WORLD_SIZE": "2",
        "RANK": "1",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    taken = []
    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(distributed.torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(distributed.torch.distributed, "init_process_group", lambda *words, **_: taken.extend(words))
    Team("cuda")
    assert taken == [1, "cpu:gloo,cuda:nccl"]


def test_the_processor_is_divided_and_a_batch_goes_round(monkeypatch):
    plan = makar.plan("builtin:digits", steps=5)
    team = Team()
    assert Lead(team).shared(plan) == plan
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    team.size = 2
    shared = Lead(team).shared(plan.changed(threads=5, workers=1))
    assert (shared.threads, shared.workers) == (2, 1)
    team.size = 10_000
    with pytest.raises(UsageError, match="batch_size"):
        Lead(team).shared(plan)
