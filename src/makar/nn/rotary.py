"""Rotary positions, and norm and rotation of queries and keys in one step with a short backward pass.

A head of width 2n holds n planes (channel i with channel i + n). Position t turns plane i by t * base^(-i/n). A rotation keeps the
root mean square, so norm and rotation may change places; with a gain the gain comes between them (norm, gain, rotation), as in Qwen3.
nanochat turns the other way (``clockwise``).

Source: Su et al. 2021, arXiv 2104.09864, equation 34 (in the half-split order of GPT-NeoX).
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.nn.norm import inverse_root_mean_square, rms_norm_gradient

Table = tuple[Tensor, Tensor]


def rotary_table(positions: Int[Tensor, " length"], *, head_width: int, base: float, clockwise: bool = False) -> Table:
    """Return the tables of cosines and signed sines, float32 ``[length, 1, head_width]`` each.

    The result of a rotation is ``x * cosines + swapped(x) * sines`` where ``swapped`` exchanges the halves.

    Args:
        positions: Positions in the text, from 0.
        head_width: Channels of a head.
        base: Base of the wavelengths.
        clockwise: Whether the angles grow the other way.
    """
    # base^(-i/n) exactly as the reference implementations round it.
    exponents = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32) / head_width
    angles = positions.float()[:, None] * (1.0 / (base**exponents))
    cosines, sines = angles.cos(), angles.sin() * (-1.0 if clockwise else 1.0)
    return torch.cat((cosines, cosines), -1).unsqueeze(1), torch.cat((-sines, sines), -1).unsqueeze(1)


def rotate(
    x: Float[Tensor, "batch length heads head_width"], table: Table
) -> Float[Tensor, "batch length heads head_width"]:
    """Return ``x`` turned by the table's angles."""
    return torch.addcmul(x * table[0], _swapped(x), table[1])


def norm_and_rotate(
    x: Float[Tensor, "batch length heads head_width"],
    table: Table,
    gain: Float[Tensor, "heads head_width"] | None,
    *,
    epsilon: float,
) -> Float[Tensor, "batch length heads head_width"]:
    """Return norm, gain and rotation of queries or keys, in the type of ``x``.

    Args:
        x: Projected heads.
        table: Cosines and sines of the positions.
        gain: Factors after the norm, or ``None``.
        epsilon: Added to the mean square in the norm.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        result: Tensor = _NormAndRotate.apply(x, table, gain, epsilon)
        return result
    values = x.float()
    values = values * inverse_root_mean_square(values, epsilon)
    return rotate(values if gain is None else values * gain, table).to(x.dtype)


class _NormAndRotate(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, table: Table, gain: Tensor | None, epsilon: float) -> Tensor:
        values = x.float()
        inverse = inverse_root_mean_square(values, epsilon)
        context.save_for_backward(values, inverse, gain, *table)
        normed = values * inverse
        return rotate(normed if gain is None else normed.mul_(gain), table).to(x.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor | None, None]:
        values, inverse, gain, cosines, sines = context.saved_tensors
        # The inverse of a rotation turns back: the same cosines, the opposite sines.
        turned = rotate(gradients[0].float(), (cosines, -sines))
        gain_gradient = None
        if gain is not None:
            gain_gradient = (turned * values).mul_(inverse).sum((0, 1))
            turned = turned.mul_(gain)
        return rms_norm_gradient(turned, values, inverse).to(gradients[0].dtype), None, gain_gradient, None


def _swapped(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat((x[..., half:], x[..., :half]), -1)
