"""Ancestral sampling: every step predicts the image and draws from what could have led to it one step less noisy.

With s the share of the variance that is signal now and s' that after the step, and a = s / s'::

    mean      sqrt(s') (1 - a) / (1 - s) data + sqrt(a) (1 - s') / (1 - s) y       (Ho et al. 2020, arXiv 2006.11239, eq. 7)
    variance  (1 - s') / (1 - s) (1 - a)                                           (the same, the smaller of their two choices)

where y is the point scaled to ``sqrt(s) data + sqrt(1 - s) noise``. Only signal and noise enter, so the same lines sample a DDPM in its own
1,000 steps, in fewer (Nichol and Dhariwal 2021, arXiv 2102.09672, section 4), and a flow. The predicted image is clipped to the range of
images, as in the published sampler.
"""

import itertools
import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from makar.families.diffusion.solvers import Velocity


def ancestral(
    velocity: Velocity,
    x: Float[Tensor, "..."],
    times: Sequence[float],
    *,
    draw: Callable[[], Tensor],
    limit: float = math.inf,
) -> Float[Tensor, "..."]:
    """Sample along rising times.

    Args:
        velocity: From a point and a time to the velocity there.
        x: Points at the first time.
        times: Rising times, the last 1; the network runs at all but the last.
        draw: Fresh standard normal noise of the shape of ``x``.
        limit: Predicted images are clipped to this and less it.

    Returns:
        The points at the last time.
    """
    for now, after in itertools.pairwise(times):
        data = (x + (1 - now) * velocity(x, now)).clamp(-limit, limit)
        share, length = _signal_share(now)
        share_after, length_after = _signal_share(after)
        kept = share / share_after
        of_data = share_after**0.5 * (1 - kept) / (1 - share)
        of_point = kept**0.5 * (1 - share_after) / (1 - share)
        x = of_data * data + of_point / length * x
        if after < 1:
            x = x + ((1 - share_after) / (1 - share) * (1 - kept)) ** 0.5 * draw()
        x = x * length_after
    return x


def _signal_share(time: float) -> tuple[float, float]:
    """Return the signal's share of the variance at a time of the straight path, and the length of (signal, noise) there."""
    square = time * time + (1 - time) * (1 - time)
    return time * time / square, square**0.5
