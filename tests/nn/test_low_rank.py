"""Frozen layers with a change of low rank: equal to the merged weight, gradients equal to autograd's, and 4 bits as published."""

import pytest
import torch
from torch.nn import functional

from makar.nn.frozen_matrix import FrozenMatrix
from makar.nn.low_rank import AdaptedLinear, LowRank, Rows, changed_weight
from makar.nn.normal_float import BLOCK, LEVELS, NormalFloat
from makar.nn.recomputed import recomputed, repeatable

ROWS = [
    Rows(name="q", count=6, is_changed=True),
    Rows(name="k", count=2, is_changed=False),
    Rows(name="v", count=4, is_changed=True),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def layer(*, has_magnitudes=False, moved=0.3):
    """Return (weight, layer over it whose change is not zero)."""
    draw = generator()
    weight = torch.randn(12, 8, generator=draw)
    change = LowRank(rank=3, scale=2.0, has_magnitudes=has_magnitudes)
    made = AdaptedLinear(FrozenMatrix(weight.clone, (12, 8)), ROWS, change)
    made.initialise(draw)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(moved * torch.randn(parameter.shape, generator=draw))
    return weight, made


@pytest.mark.parametrize("has_magnitudes", [False, True])
def test_it_begins_as_the_frozen_layer(has_magnitudes):
    weight, made = layer(has_magnitudes=has_magnitudes)
    made.initialise(generator())
    x = torch.randn(2, 5, 8, generator=generator(1))
    assert torch.allclose(made(x), x @ weight.T, atol=1e-5) and torch.allclose(made.weight, weight, atol=1e-6)
    assert any(first.any() for first in made.first) and not any(second.any() for second in made.second)


@pytest.mark.parametrize("has_magnitudes", [False, True])
def test_it_computes_what_the_merged_weight_computes(has_magnitudes):
    weight, made = layer(has_magnitudes=has_magnitudes)
    x, gain = torch.randn(2, 5, 8, generator=generator(1)), torch.rand(8, generator=generator(2))
    assert torch.allclose(made(x, gain), (x * gain) @ made.weight.T, atol=1e-4)
    # Rows that are not changed are those of the base.
    assert torch.equal(made.weight[6:8], weight[6:8]) and not torch.allclose(made.weight[:6], weight[:6])
    magnitude = made.magnitude[0] if has_magnitudes else None
    own = changed_weight(weight[:6], made.first[0], made.second[0], scale=2.0, magnitude=magnitude)
    assert torch.allclose(made.weight[:6], own, atol=1e-5)
    if has_magnitudes:
        assert torch.allclose(own.norm(dim=1), made.magnitude[0].abs(), atol=1e-5)


def test_gradients_are_those_of_autograd():
    weight, made = layer()
    x, slope = torch.randn(7, 8, generator=generator(1)), torch.randn(7, 12, generator=generator(2))
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    made(inputs[0]).backward(slope)
    first, second = ([one.detach().clone().requires_grad_() for one in part] for part in (made.first, made.second))
    added = torch.cat([2.0 * second[0] @ first[0], torch.zeros(2, 8), 2.0 * second[1] @ first[1]])
    functional.linear(inputs[1], weight + added).backward(slope)
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)
    for own, right in zip([*made.first, *made.second], [*first, *second]):
        assert torch.allclose(own.grad, right.grad, atol=1e-5)


def test_the_norm_of_dora_is_a_constant_on_the_way_back():
    weight, made = layer(has_magnitudes=True)
    x = torch.randn(7, 8, generator=generator(1))
    made(x).square().sum().backward()
    first, second = made.first[0].detach().requires_grad_(), made.second[0].detach().requires_grad_()
    magnitude = made.magnitude[0].detach().requires_grad_()
    whole = weight[:6] + 2.0 * second @ first
    (x @ (whole * (magnitude / whole.detach().norm(dim=1))[:, None]).T).square().sum().backward()
    for own, right in ((made.first[0], first), (made.second[0], second), (made.magnitude[0], magnitude)):
        assert torch.allclose(own.grad, right.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form, most", [(torch.float32, 0.0), (torch.bfloat16, 0.005), ("normal-float", 0.12)])
def test_a_frozen_matrix_is_kept_as_it_is_asked_for_and_read_exactly(form, most):
    weight, reads = torch.randn(32, 64, generator=generator()), []

    def read():
        reads.append(1)
        return weight.clone()

    frozen = FrozenMatrix(read, (32, 64))
    assert not reads and frozen.bytes == 0
    frozen.keep_as(form)
    x = torch.randn(5, 64, generator=generator(1))
    made = frozen.product(x)
    frozen.keep_as(torch.float32)
    assert torch.equal(frozen.product(x), made) and len(reads) == 1
    assert (made - x @ weight.T).norm() <= most * made.norm()
    assert (frozen.back(made) - made @ weight).norm() <= max(most, 1e-6) * (made @ weight).norm()
    assert torch.equal(frozen.read(), weight)
    bits = {torch.float32: 32, torch.bfloat16: 16, "normal-float": 4.5}[form]
    assert frozen.bytes * 8 == bits * weight.numel()


def test_four_bits_are_the_nearest_levels_of_every_block():
    weight = torch.randn(5, 50, generator=generator())
    dense = NormalFloat(weight).dense(torch.float32)
    blocks = functional.pad(weight.reshape(-1), (0, -weight.numel() % BLOCK)).view(-1, BLOCK)
    scales, levels = blocks.abs().amax(1, keepdim=True), torch.tensor(LEVELS)
    nearest = levels[(blocks[..., None] / scales[..., None] - levels).abs().argmin(-1)] * scales
    assert torch.allclose(dense.reshape(-1), nearest.reshape(-1)[: weight.numel()], atol=1e-6)
    # The largest number of every block, and zero, are exact.
    assert torch.allclose(dense.abs().max(), weight.abs().max())
    assert not NormalFloat(torch.zeros(3, 64)).dense(torch.float32).any()


def test_the_error_of_four_bits_is_that_of_normal_numbers():
    weight = torch.randn(512, 512, generator=generator())
    error = (NormalFloat(weight).dense(torch.float32) - weight).norm() / weight.norm()
    evenly = (15 * (weight / weight.abs().amax() + 1) / 2).round() * 2 / 15 - 1
    assert 0.08 < error < 0.1 < (evenly * weight.abs().amax() - weight).norm() / weight.norm()


def test_a_block_that_is_computed_again_has_the_same_gradients_and_draws():
    matrix = torch.nn.Parameter(torch.randn(4, 4, generator=generator()))
    x = torch.randn(3, 4, generator=generator(1), requires_grad=True)

    def inside(value, source):
        return torch.tanh(value @ matrix) * torch.rand(3, 4, generator=source)

    draws = [generator(2), generator(2)]
    plain = inside(x, draws[0])
    again = recomputed(repeatable(inside, draws[1]), x, [matrix])
    assert torch.equal(plain, again)
    gradients = [torch.autograd.grad(value.square().sum(), [x, matrix]) for value in (plain, again)]
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients))
    # What is drawn afterwards is what would have been drawn.
    assert torch.equal(torch.rand(2, generator=draws[0]), torch.rand(2, generator=draws[1]))
