"""Several processes, one model: each takes its part of every batch, gradients are averaged, rank 0 decides and writes.

Data parallelism by averaging gradients (Li et al. 2020, arXiv 2006.15704), started by ``torchrun``, which sets ``WORLD_SIZE``. All
parameters' gradients travel in one flat buffer. Without ``WORLD_SIZE`` every method returns at once. On CUDA each process takes the
device of its ``LOCAL_RANK``; numbers and words that are agreed on go over ``gloo`` even then, so that nothing waits for a device.
"""

import datetime
import os

import torch
import torch.distributed
from torch import nn

from makar.errors import UsageError
from makar.training.machine import process_number

PATIENCE = datetime.timedelta(days=2)
"""How long a process waits for the others: the first one may read and encode data for hours before the others have anything to do."""

VARIABLES = ("RANK", "MASTER_ADDR", "MASTER_PORT")


class Team:
    """The processes that train together; one process is a team of one.

    Args:
        device: Device of the model: decides between the ``nccl`` and the ``gloo`` backend for gradients.

    Raises:
        UsageError: ``WORLD_SIZE`` says that there are several processes, and something else that ``torchrun`` sets is missing; or there
            are more processes than devices.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = process_number()
        if self.size > 1 and not torch.distributed.is_initialized():
            _meet(device)

    @property
    def local_size(self) -> int:
        """Number of the processes on this machine."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", str(self.size))) if self.size > 1 else 1

    @property
    def leads(self) -> bool:
        """Return whether this process decides and writes."""
        return self.rank == 0

    def part(self, first: int, count: int) -> tuple[int, int]:
        """Return this process's share of the positions ``first`` to ``first + count`` as (first, count)."""
        start, end = count * self.rank // self.size, count * (self.rank + 1) // self.size
        return first + start, end - start

    def agree(self, values: list[float]) -> list[float]:
        """Return rank 0's values in every process, so that all stop, validate and step alike."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        if torch.distributed.get_backend() == "nccl":
            shared = shared.cuda()
        torch.distributed.broadcast(shared, src=0)
        return [float(value) for value in shared.cpu()]

    def tell(self, words: str = "") -> str:
        """Return rank 0's words in every process; the others wait for them, and what they say themselves is not heard."""
        if self.size == 1:
            return words
        content = words.encode()
        (length,) = self.agree([float(len(content))])
        shared = torch.zeros(int(length), dtype=torch.uint8)
        if self.leads:
            shared[:] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        if torch.distributed.get_backend() == "nccl":
            shared = shared.cuda()
        torch.distributed.broadcast(shared, src=0)
        return shared.cpu().numpy().tobytes().decode()

    def wait_for_all(self) -> None:
        """Return when every process has come here."""
        self.average(0.0)

    def average_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.size == 1:
            return
        gradients = [
            parameter.grad if parameter.grad is not None else torch.zeros_like(parameter) for parameter in parameters
        ]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        for parameter, part in zip(parameters, flat.split([gradient.numel() for gradient in gradients])):
            parameter.grad = part.view_as(parameter)

    def average(self, value: float) -> float:
        """Return the mean of a number over the processes."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        if torch.distributed.get_backend() == "nccl":
            shared = shared.cuda()
        torch.distributed.all_reduce(shared)
        return float(shared) / self.size


def _meet(device: str) -> None:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise UsageError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, and {', '.join(missing)} is not set",
            expected="the variables that torchrun sets",
            do="start with torchrun --nproc-per-node 2 -m makar train ..., or unset WORLD_SIZE",
        )
    backend = "gloo"
    if device.startswith("cuda"):
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise UsageError(
                f"this is process {local} of this machine, which has {torch.cuda.device_count()} CUDA devices",
                expected="at most one process a device",
                do=f"start torchrun with --nproc-per-node {torch.cuda.device_count()}",
            )
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
