"""Deleting runs and unused stores: what is lost is said, what is in use stays, models stay."""

import pytest

from makar.api.cleaning import losses, remove_run, remove_unused_stores, unused_stores
from makar.api.novelty import remember_stores, remembered_stores
from makar.api.runs import all_runs
from makar.errors import RunLockedError, UnknownNameError
from makar.home import stores_folder
from makar.training.lock import locked
from makar.training.run_store import create_run


@pytest.fixture
def run():
    """Return an unfinished run with a file of a megabyte."""
    made = create_run(key="k", name="cats", output="/nowhere", options={})
    (made.folder / "checkpoints").mkdir()
    (made.folder / "checkpoints" / "one").write_bytes(bytes(1_000_000))
    return made


def store(name):
    folder = stores_folder() / name
    folder.mkdir(parents=True)
    (folder / "train").write_bytes(bytes(2_000_000))
    return folder


def test_a_run_says_what_would_be_lost_and_is_gone_when_removed(run):
    values = losses(run.id[:10])
    assert values["run"] == run.id and values["keeps"] is None
    assert 1.0 < values["megabytes"] < 1.1 and 1.0 < all_runs()[0]["megabytes"] < 1.1
    assert any("training itself" in sentence for sentence in values["loses"])
    remove_run(run.id)
    assert not run.folder.exists() and all_runs() == []
    with pytest.raises(UnknownNameError):
        remove_run(run.id)


def test_a_running_one_is_refused(run):
    with run.lock():
        for act in (losses, remove_run):
            with pytest.raises(RunLockedError):
                act(run.id)
    assert (run.folder / "state.json").exists()
    remove_run(run.id)


def test_only_stores_that_no_run_names_and_nobody_writes_are_removed(run):
    used, before, unused, written = (store(name) for name in ("used", "before", "unused", "written"))
    remember_stores(run.folder, used, earlier=[before])
    assert remembered_stores(run.folder) == [used, before]
    with locked(written):
        assert [row["folder"] for row in unused_stores()] == [str(unused), str(written)]
        assert [row["folder"] for row in remove_unused_stores()] == [str(unused)]
    assert used.exists() and before.exists() and written.exists() and not unused.exists()
    assert unused_stores()[0]["megabytes"] == pytest.approx(2.0, abs=0.01)
    remove_run(run.id)
    assert len(remove_unused_stores()) == 3
