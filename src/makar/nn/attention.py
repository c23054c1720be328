"""Causal attention: torch's kernel where memory or an accelerator asks for it, plain products in strips to train on a CPU.

On a CPU torch's fused kernel takes 1.7 to 6 times as long, forward and backward in bfloat16, as plain products over strips of
positions: a strip of queries meets only the keys up to its own end, so almost half of the scores are never formed (8 x 6 x 256 x 64:
18 ms in strips, 32 ms as one square, 50 ms fused). The fused kernel never stores the weights, so it serves everything else.

Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1; Ainslie et al. 2023, arXiv 2305.13245 (grouped keys and values).
"""

import functools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

STRIP = 64
"""Positions of a strip; shorter ones make products too small to run at speed."""


def causal_attention(
    queries: Float[Tensor, "batch heads length head_width"],
    keys: Float[Tensor, "batch shared_heads length head_width"],
    values: Float[Tensor, "batch shared_heads length head_width"],
    *,
    is_learned: bool = False,
) -> Float[Tensor, "batch heads length head_width"]:
    """Return softmax(queries keys^T / sqrt(head_width)) values, where a position sees itself and those before it.

    Args:
        queries: One row a head.
        keys: As queries, of fewer heads where several share them.
        values: As keys.
        is_learned: Whether gradients will be asked for: a CPU then computes in strips.
    """
    grouped = keys.shape[1] != queries.shape[1]
    if is_learned and queries.device.type == "cpu" and torch.is_grad_enabled():
        share = queries.shape[1] // keys.shape[1]
        rows = [queries * queries.shape[-1] ** -0.5]
        rows += [part.repeat_interleave(share, 1) if grouped else part for part in (keys, values)]
        mixed: Tensor = _InStrips.apply(*[part.flatten(0, 1) for part in rows])
        return mixed.view_as(queries)
    return functional.scaled_dot_product_attention(queries, keys, values, is_causal=True, enable_gqa=grouped)


class _InStrips(torch.autograd.Function):
    """Attention in strips for blocks that are not written by hand."""

    @staticmethod
    def forward(context: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        mixed, weights = attend_in_strips(queries, keys, values)
        context.save_for_backward(queries, keys, values, *weights)
        return mixed

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, values, *weights = context.saved_tensors
        return attention_gradients(gradients[0].contiguous(), queries, keys, values, list(weights))


def attend_in_strips(
    queries: Float[Tensor, "rows length head_width"],
    keys: Float[Tensor, "rows length head_width"],
    values: Float[Tensor, "rows length head_width"],
) -> tuple[Float[Tensor, "rows length head_width"], list[Tensor]]:
    """Return causal attention and the weights of every strip, which the gradient needs.

    Args:
        queries: One row a text and head, already divided by sqrt(head_width).
        keys: As queries.
        values: As queries.
    """
    length = queries.shape[1]
    strip = _strip_length(length)
    mixed, weights = torch.empty_like(queries), []
    for start in range(0, length, strip):
        end = min(start + strip, length)
        scores = torch.bmm(queries[:, start:end], keys[:, :end].transpose(1, 2))
        scores[:, :, start:].add_(_future_mask(end - start, queries.dtype))
        weights.append(scores.softmax(-1))
        torch.bmm(weights[-1], values[:, :end], out=mixed[:, start:end])
    return mixed, weights


def attention_gradients(
    gradient: Float[Tensor, "rows length head_width"],
    queries: Float[Tensor, "rows length head_width"],
    keys: Float[Tensor, "rows length head_width"],
    values: Float[Tensor, "rows length head_width"],
    weights: list[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of queries, keys and values from the gradient of ``attend_in_strips``."""
    length = queries.shape[1]
    strip = _strip_length(length)
    query_gradient = torch.empty_like(queries)
    key_gradient = value_gradient = queries.new_empty(0)
    # From the last strip, which touches every key, so that the sums need no zeros to start from.
    for index in reversed(range(len(weights))):
        start = index * strip
        end = min(start + strip, length)
        here, weight = gradient[:, start:end], weights[index]
        slope = torch.bmm(here, values[:, :end].transpose(1, 2))
        slope = torch._softmax_backward_data(slope, weight, -1, slope.dtype)
        torch.bmm(slope, keys[:, :end], out=query_gradient[:, start:end])
        if end == length:
            value_gradient = torch.bmm(weight.transpose(1, 2), here)
            key_gradient = torch.bmm(slope.transpose(1, 2), queries[:, start:end])
        else:
            value_gradient[:, :end].baddbmm_(weight.transpose(1, 2), here)
            key_gradient[:, :end].baddbmm_(slope.transpose(1, 2), queries[:, start:end])
    return query_gradient, key_gradient, value_gradient


def _strip_length(length: int) -> int:
    # Up to 128 positions what strips save does not pay for their number.
    return length if length <= 2 * STRIP else STRIP


@functools.lru_cache(maxsize=16)
def _future_mask(length: int, dtype: torch.dtype) -> Tensor:
    return torch.full((length, length), float("-inf")).triu(1).to(dtype)
