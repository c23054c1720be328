"""Root-mean-square norm and its gradient: y = x / sqrt(mean(x^2) + epsilon).

With r = 1 / sqrt(mean(x^2) + epsilon), dx = r dy - x r^3 mean(dy x). A gain is not applied here: it is folded into the weights of the
layer that follows, which are smaller than the activations.

Source: Zhang and Sennrich 2019, arXiv 1910.07467, equation 4.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def inverse_root_mean_square(x: Float[Tensor, "... width"], epsilon: float) -> Float[Tensor, "... 1"]:
    """Return 1 / sqrt(mean(x^2) + epsilon) over the last axis."""
    # One pass that stores nothing of the size of x, unlike x.pow(2).mean().
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return (length * length / x.shape[-1] + epsilon).rsqrt()


def rms_norm(
    x: Float[Tensor, "... width"], *, epsilon: float, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "... width"]:
    """Return ``x`` divided by its root mean square over the last axis.

    Args:
        x: The stream, float32.
        epsilon: Added to the mean square.
        dtype: Type of the result.
    """
    return (x * inverse_root_mean_square(x, epsilon)).to(dtype)


def rms_norm_gradient(
    gradient: Float[Tensor, "*batch width"],
    x: Float[Tensor, "*batch width"],
    inverse: Float[Tensor, "*batch 1"],
    added: Float[Tensor, "*batch width"] | None = None,
) -> Float[Tensor, "*batch width"]:
    """Return the gradient of ``x`` from the float32 gradient of the norm's result.

    Args:
        gradient: Gradient of the result; it is overwritten.
        x: What was normed.
        inverse: ``inverse_root_mean_square(x)``.
        added: A further gradient of ``x``, from the branch around the norm.
    """
    slope = torch.linalg.vecdot(gradient, x).unsqueeze(-1).mul_(inverse.pow(3)).div_(-x.shape[-1])
    if added is None:
        result = gradient.mul_(inverse)
    else:
        result = torch.addcmul(added, gradient, inverse)
    return result.addcmul_(x, slope)
