"""Ways to follow a velocity field from noise (t = 0) to data (t = 1) in few evaluations of the network.

* ``euler``: one evaluation a step, order 1.
* ``heun``: two a step (one in the last), order 2. Karras et al. 2022 (arXiv 2206.00364), algorithm 1 without noise.
* ``adams``: one a step, order up to 4: the polynomial through the last velocities is integrated exactly over the step, whatever the
  spacing of the times. Liu et al. 2022 (PNDM, arXiv 2202.09778) and Zhang and Chen 2022 (iPNDM, arXiv 2204.13902) with
  exact coefficients for unequal steps; on the straight path the velocity itself is smooth enough to need no change of variables.
* ``dpm++2m``: one a step, order 2 in half the log signal-to-noise ratio. Lu et al. 2022 (arXiv 2211.01095), algorithm 2, with
  alpha = t and sigma = 1 - t, so that data = x + (1 - t) v.
* ``unipc``: one a step, order 3: predictor and corrector share the evaluation. Zhao et al. 2023 (arXiv 2302.04867), B2(h) = e^h - 1.

The multi-step solvers start at order 1 and grow. A point at which a logarithm is infinite is moved by ``EDGE``.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]
Solver = Callable[[Velocity, Tensor, Sequence[float]], Tensor]

ADAMS_ORDER = 4
UNIPC_ORDER = 3
EDGE = 1e-6


def euler(velocity: Velocity, x: Float[Tensor, "..."], times: Sequence[float]) -> Float[Tensor, "..."]:
    """Follow the velocity in straight steps.

    Args:
        velocity: From a point and a time to the velocity there.
        x: Points at the first time.
        times: Rising times; the network runs at all but the last.

    Returns:
        The points at the last time. The other solvers have the same arguments and result.
    """
    for now, after in itertools.pairwise(times):
        x = x + (after - now) * velocity(x, now)
    return x


def heun(velocity: Velocity, x: Float[Tensor, "..."], times: Sequence[float]) -> Float[Tensor, "..."]:
    """Average the velocities at both ends of a step; the last step is Euler's, as the network need not know t = 1."""
    for now, after in itertools.pairwise(times):
        here = velocity(x, now)
        ahead = x + (after - now) * here
        x = ahead if after == times[-1] else x + (after - now) / 2 * (here + velocity(ahead, after))
    return x


def adams(velocity: Velocity, x: Float[Tensor, "..."], times: Sequence[float]) -> Float[Tensor, "..."]:
    """Integrate the polynomial through the last four velocities (Adams-Bashforth with unequal steps)."""
    past: list[tuple[float, Tensor]] = []
    for now, after in itertools.pairwise(times):
        past = [(now, velocity(x, now)), *past[: ADAMS_ORDER - 1]]
        # The weights integrate 1, t, t^2 ... over the step exactly, in units of the step.
        nodes = (np.array([time for time, _ in past]) - now) / (after - now)
        powers = np.arange(len(past))
        weights = np.linalg.solve(nodes[None, :] ** powers[:, None], 1 / (powers + 1))
        for weight, (_, value) in zip(weights, past):
            x = x + (after - now) * float(weight) * value
    return x


def dpm_plus_plus_2m(velocity: Velocity, x: Float[Tensor, "..."], times: Sequence[float]) -> Float[Tensor, "..."]:
    """Extrapolate the predicted data linearly in the log signal-to-noise ratio; first order in the first and last step."""
    before: tuple[float, Tensor] | None = None
    for now, after in itertools.pairwise(times):
        data = x + (1 - now) * velocity(x, now)
        aim = data
        if before is not None and after < 1:
            ratio = (_log_ratio(after) - _log_ratio(now)) / (_log_ratio(now) - _log_ratio(before[0]))
            aim = data + ratio / 2 * (data - before[1])
        x = _towards(x, aim, now=now, after=after)
        before = (now, data)
    return x


def unipc(velocity: Velocity, x: Float[Tensor, "..."], times: Sequence[float]) -> Float[Tensor, "..."]:
    """Predict with the data predicted so far, then correct the same step once the network has seen where it led."""
    past: list[tuple[float, Tensor]] = []
    last_x, last_order = x, 0
    steps = len(times) - 1
    for step, (now, after) in enumerate(itertools.pairwise(times)):
        data = x + (1 - now) * velocity(x, now)
        if past:
            x = _unipc_step(last_x, past[:last_order], now, corrector=data)
        past = [(now, data), *past[: UNIPC_ORDER - 1]]
        # The last steps lower the order: at t = 1 the log ratio is infinite and high orders would extrapolate wildly.
        last_order = min(len(past), steps - step)
        last_x = x
        x = _unipc_step(x, past[:last_order], after, corrector=None)
    return x


def _unipc_step(x: Tensor, past: list[tuple[float, Tensor]], after: float, *, corrector: Tensor | None) -> Tensor:
    """One step of UniPC from ``past[0]`` to ``after`` (eq. 8 and 9 of the paper, in the data-prediction form of appendix B)."""
    now, data = past[0]
    plain = _towards(x, data, now=now, after=after)
    h = _log_ratio(after) - _log_ratio(now)
    ratios = [(_log_ratio(time) - _log_ratio(now)) / h for time, _ in past[1:]]
    slopes = [(value - data) / ratio for ratio, (_, value) in zip(ratios, past[1:])]
    if corrector is not None:
        ratios.append(1.0)
        slopes.append(corrector - data)
    if not slopes:
        return plain
    # Weights that make the step exact for data that is a polynomial in the log ratio. With one slope the paper takes 1/2.
    count = len(ratios)
    if count == 1:
        weights = np.array([0.5])
    else:
        moments, phi, factorial = [], math.expm1(-h) / -h - 1, 1
        for power in range(1, count + 1):
            moments.append(phi * factorial / math.expm1(-h))
            factorial *= power + 1
            phi = phi / -h - 1 / factorial
        weights = np.linalg.solve(np.array([[ratio**k for ratio in ratios] for k in range(count)]), np.array(moments))
    correction = sum(float(weight) * slope for weight, slope in zip(weights, slopes))
    return plain - after * math.expm1(-h) * correction


def _towards(x: Tensor, data: Tensor, *, now: float, after: float) -> Tensor:
    """Move along the straight line to predicted data: sigma'/sigma x + (alpha' - alpha sigma'/sigma) data."""
    kept = (1 - after) / (1 - now)
    return kept * x + (after - now * kept) * data


def _log_ratio(time: float) -> float:
    time = min(max(time, EDGE), 1 - EDGE)
    return math.log(time / (1 - time))


SOLVERS: dict[str, Solver] = {
    "euler": euler,
    "heun": heun,
    "adams": adams,
    "dpm++2m": dpm_plus_plus_2m,
    "unipc": unipc,
}
