"""The losses of preferences, written as their papers have them, on numbers and nothing else.

Source: Bradley and Terry 1952, Biometrika 39 (the model of a comparison); Ouyang et al. 2022, arXiv 2203.02155, equation 1 (reward model);
Rafailov et al. 2023, arXiv 2305.18290, equation 7 (DPO); Mitchell 2023, "A note on DPO with noisy preferences" (smoothing).
"""

import dataclasses

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def bradley_terry_loss(chosen: Float[Tensor, " pairs"], rejected: Float[Tensor, " pairs"]) -> Float[Tensor, ""]:
    """Return the mean of -log sigmoid(chosen - rejected), nats a pair.

    Args:
        chosen: Scores of the preferred answers.
        rejected: Scores of the others.
    """
    return -functional.logsigmoid(chosen - rejected).mean()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerLogProbabilities:
    """Log-probabilities of whole answers, one a pair.

    Attributes:
        chosen: Of the preferred answers.
        rejected: Of the others.
    """

    chosen: Float[Tensor, " pairs"]
    rejected: Float[Tensor, " pairs"]

    def margins(self) -> Float[Tensor, " pairs"]:
        """Return how much likelier the preferred answer is, in nats."""
        return self.chosen - self.rejected


def dpo_loss(
    policy: AnswerLogProbabilities, reference: AnswerLogProbabilities, *, beta: float, smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Return the mean loss of DPO, nats a pair.

    With the implicit reward r = beta (log p(answer) - log p_reference(answer)) it is -log sigmoid(r_chosen - r_rejected); a share of the
    preferences may be taken to be the wrong way round.

    Args:
        policy: Of the model that learns.
        reference: Of the model that it began from.
        beta: Unit of the implicit reward.
        smoothing: Share of the preferences that are wrong.
    """
    logits = beta * (policy.margins() - reference.margins())
    right, wrong = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return -((1 - smoothing) * right + smoothing * wrong).mean()
