"""The formulas of learning from rewards, on numbers and nothing else: advantages, divergence, clipped objectives.

Source: Shao et al. 2024, arXiv 2402.03300, equations 3 and 4 (GRPO, and the estimator of Schulman 2020, "Approximating KL divergence");
Schulman et al. 2017, arXiv 1707.06347, equations 7 and 9 (PPO); Schulman et al. 2015, arXiv 1506.02438, equation 16 (advantages).
"""

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST_DEVIATION = 1e-4
"""Added to a group's deviation, as in TRL, so that a group in which all are alike teaches nothing."""


def group_advantages(rewards: Float[Tensor, " answers"], group: int) -> Float[Tensor, " answers"]:
    """Return how much better each answer is than the others to its prompt, in deviations.

    Args:
        rewards: Of all answers, those to one prompt one after the other.
        group: Answers a prompt.
    """
    grouped = rewards.view(-1, group)
    centred = grouped - grouped.mean(1, keepdim=True)
    return (centred / (grouped.std(1, keepdim=True) + SMALLEST_DEVIATION)).view(-1)


def divergence(
    policy: Float[Tensor, "rows length"], reference: Float[Tensor, "rows length"]
) -> Float[Tensor, "rows length"]:
    """Return the estimate r - log r - 1 of the divergence from the reference, r = p_reference / p: never below 0, unbiased.

    Args:
        policy: Log-probabilities of what was drawn.
        reference: The same under the reference.
    """
    ratio = reference - policy
    return ratio.exp() - ratio - 1


def clipped_objective(
    policy: Float[Tensor, "rows length"],
    old: Float[Tensor, "rows length"],
    advantages: Float[Tensor, "rows length"],
    *,
    clip: float,
) -> Float[Tensor, "rows length"]:
    """Return min(ratio A, clipped ratio A) of every token, to be made large.

    Args:
        policy: Log-probabilities now.
        old: Log-probabilities when the answers were drawn.
        advantages: How much better than expected.
        clip: Largest change of the ratio that counts.
    """
    ratio = (policy - old).exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def mean_of_rows(values: Float[Tensor, "rows length"], marks: Float[Tensor, "rows length"]) -> Float[Tensor, ""]:
    """Return the mean over rows of the mean over marked places: every answer counts alike, as in equation 3 of GRPO."""
    return ((values * marks).sum(1) / marks.sum(1).clamp(min=1)).mean()


def mean_of_places(values: Float[Tensor, "rows length"], marks: Float[Tensor, "rows length"]) -> Float[Tensor, ""]:
    """Return the mean over marked places: every token counts alike."""
    return (values * marks).sum() / marks.sum().clamp(min=1)


def traced_advantages(
    rewards: Float[Tensor, "rows length"],
    values: Float[Tensor, "rows length"],
    marks: Float[Tensor, "rows length"],
    *,
    trace: float,
) -> Float[Tensor, "rows length"]:
    """Return generalised advantages, without discount: sums of later surprises, each weaker by ``trace`` a token.

    Args:
        rewards: Of every token.
        values: Expected sum of what is still to come, before every token.
        marks: 1 where a token belongs to an answer; answers have no gaps.
        trace: Lambda.
    """
    advantages = torch.zeros_like(rewards)
    later = torch.zeros_like(rewards[:, 0])
    following = torch.zeros_like(later)
    for place in reversed(range(rewards.shape[1])):
        surprise = rewards[:, place] + following - values[:, place]
        later = (surprise + trace * later) * marks[:, place]
        following = values[:, place] * marks[:, place]
        advantages[:, place] = later
    return advantages


def clipped_value_loss(
    values: Float[Tensor, "rows length"],
    old: Float[Tensor, "rows length"],
    returns: Float[Tensor, "rows length"],
    *,
    clip: float,
) -> Float[Tensor, "rows length"]:
    """Return half the larger of two squared errors: of the value, and of the value kept near the old one.

    Args:
        values: What the head says now.
        old: What it said when the answers were drawn.
        returns: What came.
        clip: Largest change that counts.
    """
    near = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (near - returns).square())
