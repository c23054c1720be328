"""What the best linear guess leaves for the network to learn: EDM's preconditioning, written for velocities on the straight path.

If every value of the data had mean m and deviation s and were independent of the others, and the noise had deviation k, the best guess of
the velocity from a point x at time t would be linear. The network, whose input and target then both have unit variance at every time,
learns the rest F::

    q^2     = t^2 s^2 + (1 - t)^2 k^2                             variance of the point
    v(x, t) = m + (t s^2 - (1 - t) k^2) / q^2 (x - t m) + s k / q F((x - t m) / q, t)

With k = 1 this is equation 7 of Karras et al. 2022 with the coefficients of their appendix B.6 (sigma = (1 - t) / t), solved for
v = (D - x) / (1 - t). An untrained network, whose F is zero, is then exact for Gaussian data of independent values; and since the factor
s k / q of F is bounded, nothing needs clipping at either end of the path. With a source m is a linear guess from it (``source``), and the
rest is what the source does not say; that is less than an image, so k is less than 1, and times and solvers see what they see elsewhere.

Source: Karras, Aittala, Aila and Laine 2022 (arXiv 2206.00364), section 5 and appendix B.6.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST_DEVIATION = 0.05
"""A data set of one flat colour would otherwise divide by zero."""


def preconditioned(
    residual: Callable[[Tensor], Tensor],
    point: Float[Tensor, "batch channels height width"],
    *,
    time: Float[Tensor, " batch"],
    mean: Float[Tensor, "*#batch channels #height #width"],
    deviation: Float[Tensor, "channels #height #width"],
    noise: Float[Tensor, "channels #height #width"],
) -> Float[Tensor, "batch channels height width"]:
    """Return the velocity made of the linear guess and what the network adds.

    Args:
        residual: The network, from the point scaled to unit variance to F.
        point: Points on paths.
        time: Time of each point.
        mean: Mean of the data, or for each example what its source lets expect.
        deviation: Standard deviation of the data from that.
        noise: Standard deviation of the noise.
    """
    t = time[:, None, None, None]
    variance = t.square() * deviation.square() + (1 - t).square() * noise.square()
    centred = point - t * mean
    linear = mean + (t * deviation.square() - (1 - t) * noise.square()) / variance * centred
    scale = torch.rsqrt(variance)
    return linear + deviation * noise * scale * residual(centred * scale)
