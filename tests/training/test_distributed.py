"""Two processes that average gradients end with one model."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from makar.training.distributed import Team

ROOT = Path(__file__).parents[2]


def test_one_process_is_a_team_of_one():
    team = Team()
    assert team.leads and team.part(10, 7) == (10, 7) and team.agree([1.0, 2.0]) == [1.0, 2.0]


def test_parts_cover_a_batch_without_overlap():
    team, parts = Team(), []
    for team.rank in range(3):
        team.size = 3
        parts.append(team.part(100, 8))
    assert parts == [(100, 2), (102, 3), (105, 3)]


@pytest.mark.slow
@pytest.mark.loopback
def test_two_processes_end_with_the_same_weights(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(2):
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "OMP_NUM_THREADS": "1",
            "WORLD_SIZE": "2",
            "RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        command = [sys.executable, "-m", "tests.training.team_program", str(tmp_path)]
        processes.append(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True))
    for process in processes:
        _, messages = process.communicate(timeout=120)
        assert process.returncode == 0, messages
    first, second = (safetensors.torch.load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
