"""Workplaces: gone when the work is, gone at the next call when the process was killed, and never taken from one that works."""

import subprocess
import sys

import pytest

from makar.data.workplace import remove_abandoned, workplace

WORKER = """
import sys, time
from pathlib import Path
from makar.data.workplace import workplace
with workplace(Path(sys.argv[1]), prefix="work.") as place:
    (place / "half").write_text("x")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_workplace_is_private_and_gone_afterwards(tmp_path):
    with workplace(tmp_path / "a", prefix="work.") as place:
        assert place.stat().st_mode & 0o777 == 0o700
        (place / "file").write_text("x")
    with pytest.raises(RuntimeError), workplace(tmp_path / "a", prefix="work."):
        raise RuntimeError
    assert not list((tmp_path / "a").iterdir())


def test_what_is_renamed_stays(tmp_path):
    with workplace(tmp_path, prefix="work.") as place:
        (place / "file").write_text("x")
        place.replace(tmp_path / "finished")
    assert [path.name for path in tmp_path.iterdir()] == ["finished"]


def test_the_place_of_a_process_that_works_is_left_alone_and_that_of_a_killed_one_removed(tmp_path, worker):
    (left,) = tmp_path.glob("work.*")
    (tmp_path / "other").mkdir()
    (tmp_path / "work.txt").write_text("no folder")
    with workplace(tmp_path, prefix="work.") as mine:
        assert left.exists() and mine != left
        remove_abandoned(tmp_path, prefix="work.")
        assert left.exists() and mine.exists()
    worker.kill()
    worker.wait()
    assert left.exists()
    with workplace(tmp_path, prefix="work."):
        assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "work.txt"]
