"""Runs are found again, locked by one process, listed, and the list can be rebuilt."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from makar.api import runs as runs_module
from makar.api.runs import all_runs
from makar.errors import RunLockedError, UnknownNameError, UsageError
from makar.home import home
from makar.training import catalogue
from makar.training.catalogue import Catalogue
from makar.training.lock import UNKNOWN_PROCESS, lock_holder, locked
from makar.training.run_store import create_run, find_resumable, open_run, rebuild_catalogue, run_key, stored_runs


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))


def make(name="poems", **changes):
    request = {"data_fingerprint": "f", "options": {"seconds": 60.0, "seed": 0}, "output": "poe", **changes}
    return create_run(key=run_key(**request), name=name, output=request["output"], options=request["options"])


def test_the_same_command_finds_its_unfinished_run():
    run = make()
    key = run.state()["key"]
    assert find_resumable(key) == run
    run.finish(home() / "models" / "poe", artifact_hash="h", result={"inner_loss": 1.5})
    assert find_resumable(key) is None


@pytest.mark.parametrize(
    "changes", [{"data_fingerprint": "g"}, {"options": {"seconds": 61.0, "seed": 0}}, {"output": "other"}]
)
def test_another_command_does_not(changes):
    make()
    assert find_resumable(make(**changes).state()["key"]).state()["output"] == changes.get("output", "poe")
    assert len({run.state()["key"] for run in stored_runs()}) == 2


def test_a_run_opens_by_its_id_or_its_beginning():
    run = make()
    assert open_run(run.id) == run == open_run(run.id[:12])
    with pytest.raises(UnknownNameError):
        open_run("elsewhere")


def test_the_catalogue_is_rebuilt_from_the_folders():
    make("a"), make("b").finish(home() / "m", artifact_hash="h", result={"inner_loss": 1.5})
    before = Catalogue().rows()
    (home() / "makar.db").unlink()
    assert rebuild_catalogue() == 2
    assert Catalogue().rows() == before
    assert {row["inner_loss"] for row in before} == {None, 1.5}


def test_a_damaged_catalogue_is_started_afresh():
    make()
    (home() / "makar.db").write_bytes(b"not a database" * 100)
    assert rebuild_catalogue() == 1 == len(Catalogue().rows())


def test_a_catalogue_damaged_in_the_middle_is_started_afresh():
    for number in range(300):
        Catalogue().put({"id": f"r{number}", "created": "2026", "name": "n" * 200})
    path = home() / "makar.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\xff" * (4096 * 17)
    path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError):
        Catalogue().rows()
    assert Catalogue().rows() == []


def test_a_busy_catalogue_is_neither_deleted_nor_in_the_way_of_a_run(monkeypatch):
    run = make()
    monkeypatch.setattr(catalogue, "WAIT_SECONDS", 0.01)
    path = home() / "makar.db"
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    identity = path.stat().st_ino
    run.update({"status": "training"})
    assert run.state()["status"] == "training" and path.stat().st_ino == identity
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Catalogue().rows()
    assert [row["status"] for row in all_runs()] == ["stopped"]
    holder.rollback()
    holder.close()
    assert [row["id"] for row in Catalogue().rows()] == [run.id]


def test_a_stale_row_is_renewed_from_the_folder():
    run = make()
    run.finish(home() / "m", artifact_hash="h", result={"inner_loss": 1.5})
    Catalogue().put({**run.state(), "status": "training", "updated": "2000", "result": {}})
    assert [(row["status"], row["inner_loss"]) for row in all_runs()] == [("saved", 1.5)]
    assert [row["status"] for row in Catalogue().rows()] == ["saved"]


def test_runs_that_come_and_go_meanwhile_are_no_error(monkeypatch):
    kept, gone = make("kept"), make("gone")
    real = runs_module._catalogued

    def meanwhile(recorded):
        make("new")
        (gone.folder / "state.json").write_text("{")
        return real(recorded)

    monkeypatch.setattr(runs_module, "_catalogued", meanwhile)
    monkeypatch.setattr(Catalogue, "rows", lambda self: [])
    assert [row["id"] for row in all_runs()] == [kept.id]


def test_a_damaged_state_is_passed_over():
    run = make()
    (run.folder / "state.json").write_text("{")
    assert find_resumable("x") is None and rebuild_catalogue() == 0


def test_two_processes_cannot_hold_one_lock(tmp_path):
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from makar.training.lock import locked
        with locked(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.read()
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert lock_holder(tmp_path) == other.pid
        with pytest.raises(RunLockedError, match=str(other.pid)) as caught, locked(tmp_path):
            pass
        assert "makar runs stop" not in str(caught.value), "the folder is of no run"
        with pytest.raises(RunLockedError, match="makar runs stop x"), locked(tmp_path, stop="makar runs stop x"):
            pass
        other.kill()
        other.wait()
    assert lock_holder(tmp_path) is None
    with locked(tmp_path):
        assert lock_holder(tmp_path) is not None


def test_asking_for_the_holder_never_makes_a_run_fail(tmp_path):
    with locked(tmp_path):
        pass
    asking = threading.Event()

    def ask():
        with (tmp_path / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            asking.set()
            time.sleep(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    asking.wait()
    with locked(tmp_path):
        assert lock_holder(tmp_path) == os.getpid()
    thread.join()


def test_a_holder_that_has_not_written_its_number_holds_the_lock_all_the_same(tmp_path):
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holder(tmp_path) == UNKNOWN_PROCESS
    assert lock_holder(tmp_path) is None


def test_stop_is_only_asked_of_a_running_run():
    run = make()
    assert not run.request_stop()
    with run.lock():
        assert run.request_stop() and run.stop_requested()
    run.clear_stop()
    assert not run.stop_requested()


def test_a_beginning_that_several_runs_have_is_called_that():
    runs = [create_run(key=str(number), name="cats", output="", options={}) for number in range(2)]
    with pytest.raises(UsageError, match="2 runs begin with") as caught:
        open_run("2")
    assert not isinstance(caught.value, UnknownNameError)
    assert all(run.id in caught.value.came for run in runs)
    assert open_run(runs[0].id).id == runs[0].id
