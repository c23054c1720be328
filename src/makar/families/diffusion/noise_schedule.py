"""The noise of DDPM: what is left of an image after each of its 1,000 steps, and where that lies on the straight path.

A DDPM sees, after step n of 1,000 with variances beta rising linearly from 0.0001 to 0.02::

    y_n = sqrt(s_n) x_1 + sqrt(1 - s_n) e,    s_n = (1 - beta_1) ... (1 - beta_n)      (Ho et al. 2020, eq. 4 and section 4)

and predicts the noise e (eq. 14). Divided by sqrt(s_n) + sqrt(1 - s_n) this is a point of the straight path of ``path`` at the time ::

    t_n = sqrt(s_n) / (sqrt(s_n) + sqrt(1 - s_n))

where the velocity is v = (x_t - e) / t. So every solver of the straight path runs on weights that predict noise; an Euler step there is
exactly a step of DDIM (Song et al. 2020, arXiv 2010.02502, eq. 12 with sigma 0), because both keep data and noise as predicted. Time never
falls below t_1000 = 0.006: so much signal is left at the end of the schedule.

Source: Ho, Jain and Abbeel 2020 (arXiv 2006.11239).
"""

import functools
import itertools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

NOISE_STEPS = 1000
FIRST_BETA, LAST_BETA = 1e-4, 0.02


@functools.cache
def signal_shares() -> tuple[float, ...]:
    """Return the share of the variance that is still the image after step 1, 2, ... 1,000, falling from 0.9999 to 0.00004."""
    kept = 1.0 - np.linspace(FIRST_BETA, LAST_BETA, NOISE_STEPS, dtype=np.float64)
    return tuple(float(share) for share in np.cumprod(kept))


@functools.cache
def step_times() -> tuple[float, ...]:
    """Return the time on the straight path of step 1, 2, ... 1,000, falling from 0.99 to 0.006."""
    return tuple(share**0.5 / (share**0.5 + (1 - share) ** 0.5) for share in signal_shares())


def schedule_grid(steps: int, *, shift: float = 1.0) -> list[float]:
    """Return the times at which a solver stops: every n-th step of the schedule from the last one on, then 1.

    Args:
        steps: Number of steps, 1 to 1,000; 1,000 are all of them.
        shift: As in ``time_grid``: above 1 more of the steps near the noise; 1 keeps the steps of the schedule.

    Returns:
        ``steps + 1`` rising times, the first that of step 1,000.
    """
    known = step_times()
    times = [known[round(NOISE_STEPS - step * NOISE_STEPS / steps) - 1] for step in range(steps)]
    if shift != 1.0:
        # Both ends stay where they are, so that no time falls outside of what the network was trained on.
        low, high = known[-1], known[0]
        moved = [time / (time + shift * (1 - time)) for time in [low, high, *times]]
        times = [low + (time - moved[0]) / (moved[1] - moved[0]) * (high - low) for time in moved[2:]]
    return [*times, 1.0]


class StepOfTime(nn.Module):
    """From times on the straight path to steps of the schedule, whole at the times of the steps and linear between them."""

    times: Tensor
    gaps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("times", torch.tensor(step_times(), dtype=torch.float64).float(), persistent=False)
        gaps = [high - low for high, low in itertools.pairwise(step_times())]
        self.register_buffer("gaps", torch.tensor(gaps, dtype=torch.float64).float(), persistent=False)

    def forward(self, time: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return the step of each time, 1 (hardly noise) to 1,000; times outside are those of the nearest end."""
        # Each gap counts for as much of it as lies above the time: unlike a search this can be exported.
        passed = (self.times[:-1] - time[:, None]) / self.gaps
        return 1 + passed.clamp(0, 1).sum(1)
