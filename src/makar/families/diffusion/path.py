"""The straight path from noise to data and its velocity: what flow matching learns.

Time runs from 0 (noise) to 1 (data)::

    x_t = (1 - t) x_0 + t x_1        the point at time t                  (Liu et al. 2022, eq. 1; Lipman et al. 2022, eq. 22)
    v   = x_1 - x_0                  the velocity along the path          (Lipman et al. 2022, eq. 23)
    x_1 = x_t + (1 - t) v            the data that a velocity points to
    x_0 = x_t - t v                  the noise that it comes from

Diffusion literature counts the other way: its sigma is ``1 - t``, and libraries that follow it predict ``-v``.

Source: Lipman et al. 2022 (arXiv 2210.02747), Liu et al. 2022 (arXiv 2209.03003).
"""

from jaxtyping import Float
from torch import Tensor


def point(
    noise: Float[Tensor, "batch channels height width"],
    data: Float[Tensor, "batch channels height width"],
    time: Float[Tensor, " batch"],
) -> Float[Tensor, "batch channels height width"]:
    """Return the point of each path at its time."""
    t = time[:, None, None, None]
    return (1 - t) * noise + t * data


def velocity(
    noise: Float[Tensor, "batch channels height width"], data: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch channels height width"]:
    """Return the velocity of each path, the same at every time."""
    return data - noise
