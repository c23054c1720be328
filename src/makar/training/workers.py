"""Parts of a batch computed at the same time, each by a thread with operations of its own: data parallelism inside one process.

Two threads inside every operation meet at a barrier thousands of times a step; two workers meet once. On two Zen 4 cores a transformer
of 10.7 million parameters takes 877 ms a step with one thread, 509 ms with two inside an operation, 465 ms with two workers. The draws
of a part are keyed by its number and gradients are added in the order of the parts, so the bits depend on how many parts there are and
not on which worker took which. torch releases the interpreter's lock inside operations, which is what lets the workers overlap.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

Part = Callable[[], Tensor]
"""Computes the loss of one part, already weighted by its share of the batch."""


def gradients_of(parts: Sequence[Part], parameters: Sequence[Tensor], *, workers: int) -> Tensor:
    """Set the gradients of parameters to the sum over all parts.

    Args:
        parts: Compute the weighted loss of a part; called once each, ``workers`` of them at a time.
        parameters: What is differentiated; their gradients must be empty.
        workers: Parts that are computed at the same time.

    Returns:
        The sum of the losses, detached.
    """
    if workers == 1:
        total = torch.zeros((), device=parameters[0].device)
        for part in parts:
            loss = part()
            loss.backward()
            total += loss.detach()
        return total
    total = torch.zeros(())
    sums: list[Tensor | None] = [None] * len(parameters)
    for start in range(0, len(parts), workers):
        together = parts[start : start + workers]
        others = [_pool(workers - 1).submit(_differentiate, part, parameters) for part in together[1:]]
        try:
            found = [_differentiate(together[0], parameters)]
        finally:
            # An error here must not leave a worker behind that still writes into memory which the next try needs.
            finished = [other.exception() for other in others]
        for error in finished:
            if error is not None:
                raise error
        for loss, gradients in [*found, *(other.result() for other in others)]:
            total += loss
            sums = [_added(first, second) for first, second in zip(sums, gradients, strict=True)]
    for parameter, gradient in zip(parameters, sums, strict=True):
        parameter.grad = gradient
    return total


def _differentiate(part: Part, parameters: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    loss = part()
    # Not ``backward``: two threads would add into the same ``grad``.
    return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True)


def _added(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first.add_(second)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return the threads, which live as long as the process: starting one costs more than a small step."""
    return ThreadPoolExecutor(
        threads, thread_name_prefix="makar-worker", initializer=torch.set_num_threads, initargs=(1,)
    )
