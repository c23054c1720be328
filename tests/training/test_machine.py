"""What the machine has is asked of the right place: the build of torch, the device's memory, each disk."""

import subprocess
import sys
import types

import psutil
import pytest
import torch

from makar.errors import OutOfMemoryError, OutOfSpaceError
from makar.training import machine

PREDICTED = {"memory_bytes": 1000, "disk_bytes": 10}


@pytest.mark.parametrize(
    ("version", "is_cuda"),
    [
        ("from typing import Optional\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", True),
        ('cuda = "12.8"\n', True),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.3'\n", False),
        ("", False),
    ],
)
def test_a_torch_without_cuda_never_plans_for_a_device(tmp_path, monkeypatch, version, is_cuda):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError('imported')")
    (tmp_path / "torch" / "version.py").write_text(version)
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(machine, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert machine.has_cuda() is is_cuda
    monkeypatch.setattr(machine, "NVIDIA_DEVICE", tmp_path / "nvidia1")
    assert machine.has_cuda() is False


def test_without_torch_there_is_no_device(monkeypatch):
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    assert machine.torch_is_built_for_cuda() is False


def test_this_machine_says_the_same_with_and_without_torch():
    program = "from makar.training import machine; import sys; print(machine.has_cuda(), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(torch.cuda.is_available()), "False"]


def test_the_room_of_a_device_is_the_device_s_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (999, 2000))
    machine.check_room(PREDICTED, store_bytes=0, device="cpu")
    with pytest.raises(OutOfMemoryError):
        machine.check_room(PREDICTED, store_bytes=0, device="cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1001, 2000))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=10))
    machine.check_room(PREDICTED, store_bytes=0, device="cuda")
    with pytest.raises(OutOfMemoryError):
        machine.check_room(PREDICTED, store_bytes=0, device="cpu")


def test_folders_on_one_disk_add_up(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    machine.check_disks([(tmp_path / "a" / "b", 600), (tmp_path, 400)])
    with pytest.raises(OutOfSpaceError):
        machine.check_disks([(tmp_path / "a" / "b", 600), (tmp_path / "c", 401)])


def test_each_disk_is_asked_for_itself(tmp_path, monkeypatch):
    from pathlib import Path

    real = Path.stat

    def stat(path, **words):
        found = real(path, **words)
        return types.SimpleNamespace(st_dev=found.st_dev + ("other" in path.parts), st_mode=found.st_mode)

    (tmp_path / "other").mkdir()
    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(
        psutil, "disk_usage", lambda path: types.SimpleNamespace(free=50 if path.endswith("other") else 1000)
    )
    machine.check_disks([(tmp_path, 900), (tmp_path / "other" / "model", 50)])
    with pytest.raises(OutOfSpaceError, match="other"):
        machine.check_disks([(tmp_path, 900), (tmp_path / "other" / "model", 51)])


def test_the_peak_is_that_of_this_program_and_not_of_the_one_that_started_it():
    held = bytearray(300_000_000)
    here = machine.peak_memory_bytes()
    assert here >= len(held)
    program = "from makar.training import machine; print(machine.peak_memory_bytes())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 10_000_000 < int(done.stdout) < len(held)


def test_the_peak_of_a_device_is_the_device_s_own(monkeypatch):
    for name, value in {"is_available": True, "is_initialized": True, "max_memory_reserved": 123}.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert machine.peak_memory_bytes() == 123
