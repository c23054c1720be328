"""The learning rate over a run: a linear warm-up, a plateau, a linear descent to zero at the end.

The end is a number of steps or a moment on the clock; both are one ``progress`` from 0 to 1, so the descent reaches zero at the
deadline whatever the machine's speed (warm-up, stable, decay: Hu et al. 2024, arXiv 2404.06395).
"""

LONGEST_WARMUP_SHARE = 0.1


def learning_rate_multiplier(progress: float, *, step: int, warmup_steps: int, descent_share: float) -> float:
    """Return the factor on the peak learning rate.

    Args:
        progress: Share of the run that is over, 0 to 1.
        step: Steps taken so far.
        warmup_steps: Steps of linear rise; never longer than a tenth of the run.
        descent_share: Share of the run over which the rate falls to zero.

    >>> learning_rate_multiplier(0.7, step=1000, warmup_steps=50, descent_share=0.6)
    0.5
    """
    rise = 1.0
    if warmup_steps > 0:
        rise = min(1.0, max((step + 1) / warmup_steps, progress / LONGEST_WARMUP_SHARE))
    fall = 1.0
    if descent_share > 0:
        fall = min(1.0, max(0.0, (1.0 - progress) / descent_share))
    return round(rise * fall, 12)
