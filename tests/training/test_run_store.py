"""Runs are found again, locked by one process, listed, and the list can be rebuilt."""

import subprocess
import sys
import textwrap

import pytest

from makar.errors import RunLockedError, UnknownNameError, UsageError
from makar.home import home
from makar.training.catalogue import Catalogue
from makar.training.lock import lock_holder, locked
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
        with pytest.raises(RunLockedError, match=str(other.pid)), locked(tmp_path):
            pass
        other.kill()
        other.wait()
    assert lock_holder(tmp_path) is None
    with locked(tmp_path):
        assert lock_holder(tmp_path) is not None


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
