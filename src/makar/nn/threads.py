"""The number of CPU threads that suits a model at work: one for a small network, all cores for a large one.

Two threads wait for each other after every operation. Below some millions of parameters that waiting costs more than the sharing
saves, and on a busy machine it can cost ten times the work (measured on two cores). Training measures its own number; making and
measuring content take this rule.
"""

import contextlib
from collections.abc import Iterator

import torch

SMALL_PARAMETERS = 5_000_000
"""Up to so many parameters of matrices that meet a few hundred rows at a time, one thread is at least as fast as two."""


@contextlib.contextmanager
def threads_for(parameters: int, *, convolutional: bool = False) -> Iterator[None]:
    """Use the number of threads that suits a model, and the former number again afterwards.

    Args:
        parameters: Trainable parameters of the model.
        convolutional: Whether each parameter meets thousands of positions, which makes work enough for all cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if parameters <= SMALL_PARAMETERS and not convolutional else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
