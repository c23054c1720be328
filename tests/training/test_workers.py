"""Workers give the bits that one thread gives for the same parts, and their errors are not lost."""

import threading

import pytest
import torch

from makar.training.probe import Candidate, candidates, fastest
from makar.training.workers import gradients_of


def parts_of_a_regression(count):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, generator=generator).requires_grad_()
    idle = torch.zeros(2).requires_grad_()
    inputs = torch.randn(12, 3, generator=generator)

    def part(rows):
        return lambda: (rows @ weight.T).tanh().square().sum() / len(inputs)

    return [part(rows) for rows in inputs.chunk(count)], [weight, idle]


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_workers_give_the_bits_of_one_thread_and_unused_weights_no_gradient(workers):
    parts, parameters = parts_of_a_regression(4)
    expected = gradients_of(parts, parameters, workers=1)
    gradient = parameters[0].grad.clone()
    parameters[0].grad = None
    total = gradients_of(parts, parameters, workers=workers)
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(parameters[0].grad, gradient, rtol=1e-6, atol=1e-7)
    assert parameters[1].grad is None


def test_two_workers_repeat_their_own_bits():
    found = []
    for _ in range(5):
        parts, parameters = parts_of_a_regression(4)
        gradients_of(parts, parameters, workers=2)
        found.append(parameters[0].grad)
    assert all(torch.equal(found[0], other) for other in found)


def test_parts_run_at_the_same_time():
    # Each waits for the other: one after the other, this would never end.
    barrier = threading.Barrier(2, timeout=30)
    weight = torch.ones(()).requires_grad_()

    def part():
        barrier.wait()
        return weight * 2

    assert gradients_of([part, part], [weight], workers=2) == 4
    assert weight.grad == 4


@pytest.mark.parametrize("broken", [0, 1])
def test_an_error_in_a_part_is_raised_once_all_have_ended(broken):
    ended = []
    weight = torch.ones(()).requires_grad_()

    def good():
        ended.append(True)
        return weight * 1

    def bad():
        raise RuntimeError("not enough memory")

    parts = [good, good]
    parts[broken] = bad
    with pytest.raises(RuntimeError, match="not enough memory"):
        gradients_of(parts, [weight], workers=2)
    assert ended and weight.grad is None


def test_workers_are_candidates_only_where_losses_can_be_computed_at_once():
    assert not [way for way in candidates("cpu", processors=4) if way.workers > 1]
    assert {way.workers for way in candidates("cpu", processors=4, most_workers=2)} == {1, 2}
    assert not [way for way in candidates("cuda", most_workers=8) if way.workers > 1]


def test_threads_are_not_tried_where_workers_bring_nearly_all():
    times = {("bfloat16", 1, 1): 1.0, ("float32", 1, 1): 2.0, ("bfloat16", 1, 2): 0.55, ("bfloat16", 2, 1): 0.5}
    ways = candidates("cpu", processors=2, most_workers=8)
    found = fastest(ways, lambda way, best: times[way.precision, way.threads, way.workers], limit_seconds=10)
    assert min(found, key=found.get) == Candidate("bfloat16", 1, 2) and Candidate("bfloat16", 2) not in found


def test_threads_are_tried_where_workers_disappoint():
    times = {("bfloat16", 1, 1): 1.0, ("float32", 1, 1): 2.0, ("bfloat16", 1, 2): 0.9, ("bfloat16", 2, 1): 0.5}
    ways = candidates("cpu", processors=2, most_workers=8)
    found = fastest(ways, lambda way, best: times[way.precision, way.threads, way.workers], limit_seconds=10)
    assert min(found, key=found.get) == Candidate("bfloat16", 2, 1)
