"""States on disk are whole or absent, and wrong bytes are never loaded."""

import contextlib
import errno
import os
import shutil

import pytest
import torch

from makar.errors import IntegrityError, OutOfSpaceError
from makar.training.checkpoint import StateFolder


def tensors(value):
    return {"weights.a": torch.full((64, 64), float(value)), "optimiser.step": torch.tensor(float(value))}


@pytest.fixture
def folder(tmp_path):
    states = StateFolder(tmp_path / "states")
    for step in (10, 20, 30):
        states.save(step, tensors(step), {"step": step, "loss": 0.1 + step / 3})
    return states


def test_the_last_two_are_kept_and_read_back_exactly(folder):
    assert folder.steps() == [20, 30]
    saved, damaged = folder.newest()
    assert saved.step == 30 and not damaged
    assert saved.body == {"step": 30, "loss": 0.1 + 30 / 3}
    assert all(torch.equal(saved.tensors[name], value) for name, value in tensors(30).items())


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("place", [0.01, 0.3, 0.6, 0.99])
def test_a_flipped_bit_makes_the_state_before_count(folder, name, place):
    path = folder.folder / "checkpoint-000000030" / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(bytes(data))
    saved, damaged = folder.newest()
    # A flipped bit in the white space of the JSON changes nothing that is read.
    if damaged:
        assert saved.step == 20 and "000000030" in damaged[0]
    else:
        assert name == "state.json" and saved.body["step"] == 30


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_truncated_or_missing_file_makes_the_state_before_count(folder, name):
    path = folder.folder / "checkpoint-000000030" / name
    path.write_bytes(path.read_bytes()[:50])
    assert folder.newest()[0].step == 20
    (folder.folder / "checkpoint-000000020" / name).unlink()
    saved, damaged = folder.newest()
    assert saved is None and len(damaged) == 1


def test_what_a_kill_left_behind_is_cleared_and_never_read(folder):
    whole = folder.folder / "checkpoint-000000030"
    shutil.copytree(whole, folder.folder / ".tmp-checkpoint-000000040")
    shutil.copytree(whole, folder.folder / ".del-checkpoint-000000010")
    assert folder.newest()[0].step == 30
    assert sorted(path.name for path in folder.folder.iterdir()) == ["checkpoint-000000020", "checkpoint-000000030"]


def test_every_call_that_can_fail_leaves_a_state_to_read(folder, monkeypatch):
    """Stop at each system call of a save in turn, as a kill would, and look at what is there."""
    for name in ("fsync", "rename", "open", "mkdir", "rmdir"):
        for allowed in range(6):
            original, calls = getattr(os, name), iter(range(1000))

            def stopping(*arguments, original=original, calls=calls, allowed=allowed, **named):
                if next(calls) >= allowed:
                    raise KeyboardInterrupt
                return original(*arguments, **named)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, stopping)
                with contextlib.suppress(KeyboardInterrupt):
                    folder.save(40, tensors(40), {"step": 40})
            saved, damaged = folder.newest()
            assert saved.step in (30, 40) and not damaged
            assert float(saved.tensors["optimiser.step"]) == saved.step


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_explained_and_leaves_the_old_states(folder, monkeypatch, number):
    def full(descriptor):
        raise OSError(number, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutOfSpaceError, match="free some space"):
            folder.save(40, tensors(40), {})
    assert folder.steps() == [20, 30] and folder.newest()[0].step == 30
    assert not list(folder.folder.glob(".tmp-*"))


def test_other_errors_are_not_called_a_full_disk(folder, monkeypatch):
    def broken(descriptor):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="broken"):
            folder.save(40, tensors(40), {})


def test_a_state_that_is_referred_to_stays(folder):
    for step in (41, 42, 43):
        folder.save(step, tensors(step), {}, needed_step=30)
    assert folder.steps() == [30, 42, 43]


def test_loading_a_state_that_is_not_there_is_an_error(folder):
    with pytest.raises(IntegrityError):
        folder.load(7)
