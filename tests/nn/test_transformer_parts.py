"""Norm, rotation, attention, dropout, linear and cross-entropy against closed forms and torch's own functions."""

import math

import pytest
import torch
from torch.nn import functional

from makar.nn.attention import attend_in_strips, attention_gradients, causal_attention
from makar.nn.cross_entropy import capped, linear_cross_entropy
from makar.nn.dropout import dropped
from makar.nn.linear import Linear
from makar.nn.norm import inverse_root_mean_square, rms_norm, rms_norm_gradient
from makar.nn.rotary import rotary_table, rotate, rotate_back


def drawn(*sizes, seed=0):
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def test_norm_gives_root_mean_square_one_whatever_the_scale():
    x = drawn(3, 5, 16)
    normed = rms_norm(x * 100, epsilon=0.0)
    assert torch.allclose(normed.square().mean(-1), torch.ones(3, 5), atol=1e-5)
    assert torch.allclose(normed, rms_norm(x, epsilon=0.0), atol=1e-5)
    assert torch.allclose(rms_norm(x, epsilon=0.1), functional.rms_norm(x, (16,), eps=0.1), atol=1e-6)
    assert rms_norm(x, epsilon=0.0, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_norm_gradient_is_that_of_automatic_differentiation():
    x, upstream, added = drawn(6, 8), drawn(6, 8, seed=1), drawn(6, 8, seed=2)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(rms_norm(leaf, epsilon=0.01), leaf, upstream)
    inverse = inverse_root_mean_square(x, 0.01)
    assert torch.allclose(rms_norm_gradient(upstream.clone(), x, inverse), expected, atol=1e-6)
    assert torch.allclose(rms_norm_gradient(upstream.clone(), x, inverse, added), expected + added, atol=1e-6)


def test_rotation_keeps_length_and_depends_on_distance_only():
    table = rotary_table(torch.arange(20), head_width=8, base=100.0)
    query, key = drawn(8).expand(20, 8), drawn(8, seed=1).expand(20, 8)
    turned = rotate(query, table)
    assert torch.allclose(turned.norm(dim=-1), query.norm(dim=-1), atol=1e-5)
    scores = turned @ rotate(key, table).T
    assert torch.allclose(scores[3, 1], scores[19, 17], atol=1e-4)
    assert not torch.allclose(scores[3, 1], scores[3, 2], atol=1e-2)
    assert torch.allclose(rotate_back(turned, table), query, atol=1e-5)
    other_way = rotary_table(torch.arange(20), head_width=8, base=100.0, clockwise=True)
    assert torch.allclose(rotate(turned, other_way), query, atol=1e-5)


@pytest.mark.parametrize("length", [1, 7, 64, 130, 200])
def test_attention_in_strips_is_attention_with_its_gradients(length):
    queries, keys, values, upstream = (drawn(4, length, 8, seed=seed) for seed in range(4))
    leaves = [tensor.clone().requires_grad_() for tensor in (queries, keys, values)]
    expected = functional.scaled_dot_product_attention(*leaves, is_causal=True)
    expected_gradients = torch.autograd.grad(expected, leaves, upstream)
    scale = 8**-0.5
    mixed, weights = attend_in_strips(queries * scale, keys, values)
    assert torch.allclose(mixed, expected, atol=1e-5)
    gradients = attention_gradients(upstream, queries * scale, keys, values, weights)
    for found, wanted, factor in zip(gradients, expected_gradients, (scale, 1, 1), strict=True):
        assert torch.allclose(found * factor, wanted, atol=1e-4)


def test_attention_sees_no_future_and_shares_grouped_keys():
    queries, keys, values = drawn(1, 4, 6, 8), drawn(1, 2, 6, 8, seed=1), drawn(1, 2, 6, 8, seed=2)
    before = causal_attention(queries, keys, values)
    values[:, :, 4:] += 1
    after = causal_attention(queries, keys, values)
    assert torch.equal(before[:, :, :4], after[:, :, :4]) and not torch.equal(before[:, :, 4:], after[:, :, 4:])
    repeated = causal_attention(queries, keys.repeat_interleave(2, 1), values.repeat_interleave(2, 1))
    assert torch.allclose(after, repeated, atol=1e-6)


def test_attention_that_is_learned_has_the_same_result_and_gradients_in_strips():
    leaves = [drawn(2, 4, 150, 8), drawn(2, 2, 150, 8, seed=1), drawn(2, 2, 150, 8, seed=2)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    found = [causal_attention(*leaves, is_learned=is_learned) for is_learned in (False, True)]
    assert torch.allclose(*found, atol=1e-5)
    upstream = drawn(2, 4, 150, 8, seed=3)
    gradients = [torch.autograd.grad(value, leaves, upstream) for value in found]
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(*gradients))


def test_dropout_keeps_the_mean_and_follows_its_generator():
    x = torch.ones(1000, 37)
    first = dropped(x, 0.25, torch.Generator().manual_seed(1))
    assert torch.equal(first, dropped(x, 0.25, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, dropped(x, 0.25, torch.Generator().manual_seed(2)))
    assert abs((first == 0).float().mean() - 0.25) < 0.01 and abs(first.mean() - 1) < 0.02
    # Neighbours come from one random number and must not follow each other.
    gone = (first[:, :36] == 0).float()
    for step in (1, 7, 8):
        joint = (gone[:, step:] * gone[:, :-step]).mean()
        assert abs(joint - 0.0625) < 0.01
    assert dropped(x, 0.25, None) is x and dropped(x, 0.0, torch.Generator()) is x


def test_linear_follows_the_type_of_its_input_and_folds_the_gain():
    layer = Linear(4, 3)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    x, gain = drawn(5, 4), drawn(4, seed=3)
    assert torch.allclose(layer(x, gain), (x * gain) @ layer.weight.T, atol=1e-6)
    assert layer(x.bfloat16()).dtype == torch.bfloat16 and layer.weight.dtype == torch.float32


def test_cap_is_the_identity_near_zero_and_a_limit_far_away():
    assert capped(torch.tensor(0.01), 15.0).item() == pytest.approx(0.01, rel=1e-5)
    assert capped(torch.tensor(1e4), 15.0) == 15.0
    assert capped(torch.tensor(1e4), 0.0) == 1e4


def test_cross_entropy_of_zero_weights_is_the_logarithm_of_the_vocabulary():
    loss = linear_cross_entropy(drawn(6, 4), torch.zeros(50, 4), torch.arange(6))
    assert loss.item() == pytest.approx(math.log(50), rel=1e-6)


@pytest.mark.parametrize("cap, smoothing", [(0.0, 0.0), (3.0, 0.0), (0.0, 0.2), (3.0, 0.1)])
def test_cross_entropy_in_pieces_is_cross_entropy_with_its_gradients(cap, smoothing, monkeypatch):
    monkeypatch.setattr("makar.nn.cross_entropy.PIECE_LOGITS", 4 * 11)
    x, weight = drawn(10, 6).requires_grad_(), drawn(11, 6, seed=1).requires_grad_()
    targets = torch.arange(10)
    found = linear_cross_entropy(x, weight, targets, cap=cap, smoothing=smoothing)
    expected = functional.cross_entropy(capped(x @ weight.T, cap), targets, label_smoothing=smoothing)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for mine, theirs in zip(
        torch.autograd.grad(2 * found, (x, weight)), torch.autograd.grad(2 * expected, (x, weight)), strict=True
    ):
        assert torch.allclose(mine, theirs, atol=1e-6)
    with torch.no_grad():
        found = linear_cross_entropy(x, weight, targets, cap=cap, smoothing=smoothing)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)
