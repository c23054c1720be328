"""The times at which a solver stops between noise and data.

``shift`` is the resolution shift of Esser et al. 2024 (arXiv 2403.03206, eq. 23): sigma' = s sigma / (1 + (s - 1) sigma) with
sigma = 1 - t. Above 1 it spends more steps near the noise, below 1 more near the data; 1 leaves equal steps.
"""


def time_grid(steps: int, *, shift: float = 1.0) -> list[float]:
    """Return ``steps + 1`` rising times from 0 to 1.

    Args:
        steps: Number of steps, at least 1.
        shift: Where the steps are dense; 1 for equal steps.
    """
    # 1 - sigma' in terms of t, so that both ends are exact.
    times = [step / steps for step in range(steps + 1)]
    return [time / (time + shift * (1 - time)) for time in times]
