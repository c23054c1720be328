"""A block's forward and backward pass written out, for training on a CPU, where small networks spend half their time between products.

The same function as ``Block`` in ``network.py``, and a test holds the two together. What it saves: graph nodes and views of
automatic differentiation (a third of a step at width 128), passes over wide tensors (the 2 of the squared ReLU's slope goes into the
matrix, gains into the weights, 1 / sqrt(head_width) into the queries' table) and the scores of positions that attention never sees.
Stream and norms are float32, products of the type asked for. Gradients follow from the chain rule; those of norm, rotation and
attention stand beside their functions in ``makar.nn``.
"""

import dataclasses
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from makar.nn.attention import attend_in_strips, attention_gradients
from makar.nn.norm import inverse_root_mean_square, rms_norm_gradient
from makar.nn.rotary import Table, rotate, rotate_back


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlockShape:
    """What the passes need to know beside the weights.

    Attributes:
        heads: Query heads.
        shared_heads: Heads of keys and of values.
        head_width: Channels of a head.
        epsilon: Added to the mean square in norms.
        dtype: Type of the products.
        table: Cosines and sines of the positions.
        masks: Factors of dropout on what attention and feed-forward add, or ``None``.
    """

    heads: int
    shared_heads: int
    head_width: int
    epsilon: float
    dtype: torch.dtype
    table: Table
    masks: tuple[Tensor, Tensor] | None


@dataclasses.dataclass(kw_only=True)
class _Weights:
    """The cast matrices of a block, gains folded in."""

    projected: Tensor
    mixed: Tensor
    into: Tensor
    out: Tensor


Matrices = tuple[Tensor, Tensor, Tensor, Tensor]
Gains = tuple[Tensor, Tensor, Tensor, Tensor]


def fast_block(
    x: Float[Tensor, "batch length width"],
    matrices: Matrices,
    gains: Gains | None,
    shape: BlockShape,
) -> Float[Tensor, "batch length width"]:
    """Return the stream after a block.

    Args:
        x: The stream, float32.
        matrices: Queries-keys-values, attention's output, feed-forward's input (gate and values where there are gains) and output.
        gains: Before attention, before feed-forward, of queries, of keys (mainstream); ``None`` is compact.
        shape: Everything else.
    """
    result: Tensor = _FastBlock.apply(x, *matrices, *(gains or (None, None, None, None)), shape)
    return result


class _FastBlock(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, *arguments: Any) -> Tensor:
        matrices, gains, shape = arguments[:4], arguments[4:8], arguments[8]
        batch, length, width = x.shape
        stream = x.view(-1, width)
        before, after, query_gain, key_gain = gains
        weights = _Weights(
            projected=_folded(matrices[0], before).to(shape.dtype),
            mixed=matrices[1].to(shape.dtype),
            into=_folded(matrices[2], after).to(shape.dtype),
            out=matrices[3].to(shape.dtype),
        )
        first_inverse = inverse_root_mean_square(stream, shape.epsilon)
        first = (stream * first_inverse).to(shape.dtype)
        heads = torch.mm(first, weights.projected.T).view(batch, length, -1, shape.head_width).transpose(1, 2)
        raw = heads[:, : shape.heads + shape.shared_heads].float()
        inverse = inverse_root_mean_square(raw, shape.epsilon)
        normed = raw * inverse
        if query_gain is not None:
            normed = normed * _head_gains(query_gain, key_gain, shape)
        turned = rotate(normed, shape.table)
        turned[:, : shape.heads].mul_(shape.head_width**-0.5)
        turned = turned.to(shape.dtype)
        queries = _rows(turned[:, : shape.heads], 1)
        share = shape.heads // shape.shared_heads
        keys, values = _rows(turned[:, shape.heads :], share), _rows(heads[:, raw.shape[1] :], share)
        mixed, attention_weights = attend_in_strips(queries, keys, values)
        mixed = mixed.view(batch, shape.heads, length, -1).transpose(1, 2).reshape(-1, width)
        added = torch.mm(mixed, weights.mixed.T)
        middle = stream + (added if shape.masks is None else added * shape.masks[0])
        second_inverse = inverse_root_mean_square(middle, shape.epsilon)
        second = (middle * second_inverse).to(shape.dtype)
        hidden = torch.mm(second, weights.into.T)
        gate_parts = None
        if before is None:
            hidden = hidden.relu_()
            active = hidden * hidden
        else:
            active, gate_parts = _gated(hidden)
        added = torch.mm(active, weights.out.T)
        result = middle + (added if shape.masks is None else added * shape.masks[1])
        context.save_for_backward(stream, middle, *matrices, *gains)
        context.parts = (
            shape, weights, first_inverse, first, raw, inverse, queries, keys, values, attention_weights, mixed,
            second_inverse, second, hidden, active, gate_parts,
        )  # fmt: skip
        return result.view(x.shape)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        stream, middle, projected, _, into, _, before, after, query_gain, key_gain = context.saved_tensors
        (
            shape, weights, first_inverse, first, raw, inverse, queries, keys, values, attention_weights, mixed,
            second_inverse, second, hidden, active, gate_parts,
        ) = context.parts  # fmt: skip
        context.parts = None
        batch, length, width = gradients[0].shape
        gradient = gradients[0].reshape(-1, width)

        branch = gradient.to(shape.dtype) if shape.masks is None else (gradient * shape.masks[1]).to(shape.dtype)
        out_gradient = torch.mm(branch.T, active).float()
        if gate_parts is None:
            hidden_gradient = torch.mm(branch, weights.out * 2).mul_(hidden)
        else:
            hidden_gradient = _gated_gradient(torch.mm(branch, weights.out), gate_parts)
        into_gradient = torch.mm(hidden_gradient.T, second).float()
        normed_gradient = torch.mm(hidden_gradient, weights.into).float()
        gradient = rms_norm_gradient(normed_gradient, middle, second_inverse, gradient)

        branch = gradient.to(shape.dtype) if shape.masks is None else (gradient * shape.masks[0]).to(shape.dtype)
        mixed_gradient = torch.mm(branch.T, mixed).float()
        back = torch.mm(branch, weights.mixed).view(batch, length, shape.heads, -1).transpose(1, 2)
        slopes = attention_gradients(_rows(back, 1), queries, keys, values, attention_weights)
        query_slope, key_slope, value_slope = (part.view(batch, -1, length, shape.head_width) for part in slopes)
        if shape.heads != shape.shared_heads:
            key_slope, value_slope = (
                part.view(batch, shape.shared_heads, -1, length, shape.head_width).sum(2)
                for part in (key_slope, value_slope)
            )
        turned = torch.empty_like(raw, memory_format=torch.contiguous_format)
        torch.mul(query_slope, shape.head_width**-0.5, out=turned[:, : shape.heads])
        turned[:, shape.heads :] = key_slope
        slope = rotate_back(turned, shape.table)
        query_gain_gradient = key_gain_gradient = None
        if query_gain is not None:
            by_head = (slope * raw).mul_(inverse).sum((0, 2))
            query_gain_gradient, key_gain_gradient = by_head[: shape.heads].sum(0), by_head[shape.heads :].sum(0)
            slope = slope.mul_(_head_gains(query_gain, key_gain, shape))
        slope = rms_norm_gradient(slope, raw, inverse)
        joined = mixed.new_empty((batch, length, raw.shape[1] + shape.shared_heads, shape.head_width))
        joined[:, :, : raw.shape[1]] = slope.transpose(1, 2)
        joined[:, :, raw.shape[1] :] = value_slope.transpose(1, 2)
        joined = joined.view(batch * length, -1)
        projected_gradient = torch.mm(joined.T, first).float()
        normed_gradient = torch.mm(joined, weights.projected).float()
        gradient = rms_norm_gradient(normed_gradient, stream, first_inverse, gradient)

        before_gradient = after_gradient = None
        if before is not None:
            before_gradient = torch.linalg.vecdot(projected_gradient, projected, dim=0)
            after_gradient = torch.linalg.vecdot(into_gradient, into, dim=0)
            projected_gradient, into_gradient = projected_gradient.mul_(before), into_gradient.mul_(after)
        return (
            gradient.view(gradients[0].shape), projected_gradient, mixed_gradient, into_gradient, out_gradient,
            before_gradient, after_gradient, query_gain_gradient, key_gain_gradient, None,
        )  # fmt: skip


def _folded(matrix: Tensor, gain: Tensor | None) -> Tensor:
    return matrix if gain is None else matrix * gain


def _head_gains(query_gain: Tensor, key_gain: Tensor, shape: BlockShape) -> Tensor:
    return torch.cat((query_gain.expand(shape.heads, -1), key_gain.expand(shape.shared_heads, -1))).unsqueeze(1)


def _rows(heads: Tensor, copies: int) -> Tensor:
    if copies > 1:
        heads = heads.repeat_interleave(copies, 1)
    return heads.reshape(-1, *heads.shape[2:])


def _gated(hidden: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Return silu(gate) * plain, and sigmoid(gate), silu(gate) and plain, which the gradient needs."""
    gate, plain = hidden.chunk(2, -1)
    share = gate.sigmoid()
    opened = gate * share
    return opened * plain, (share, opened, plain)


def _gated_gradient(gradient: Tensor, parts: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Return the gradient of gate and plain: with s = sigmoid(g), d silu(g) = s + silu(g) (1 - s)."""
    share, opened, plain = parts
    result = gradient.new_empty((len(gradient), 2 * gradient.shape[1]))
    gate_gradient, plain_gradient = result.chunk(2, -1)
    torch.mul(gradient, opened, out=plain_gradient)
    slope = torch.addcmul(share + opened, opened, share, value=-1)
    torch.mul(gradient.mul_(plain), slope, out=gate_gradient)
    return result
