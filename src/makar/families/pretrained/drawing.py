"""Draws of networks of others, which take them from the common generator of torch: seeded for one call, and put back behind it."""

import contextlib
import threading
from collections.abc import Iterator

import torch

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Let what is drawn meanwhile follow from a seed alone; one thread at a time, because the generator is common to all."""
    with _ONE_AT_A_TIME, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
