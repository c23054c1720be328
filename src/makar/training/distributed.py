"""Several processes, one model: each takes its part of every batch, gradients are averaged, rank 0 decides and writes.

Data parallelism by averaging gradients (Li et al. 2020, arXiv 2006.15704), started by ``torchrun``, which sets ``WORLD_SIZE``. All
parameters' gradients travel in one flat buffer. Without ``WORLD_SIZE`` every method returns at once.
"""

import os

import torch
import torch.distributed
from torch import nn


class Team:
    """The processes that train together; one process is a team of one.

    Args:
        device: Device of the model: decides between the ``nccl`` and the ``gloo`` backend.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.size > 1 else 0
        if self.size > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")

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
