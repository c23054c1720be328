"""Gives a text a number: stars, a score; see ``voting`` for who says so. The loss is the squared error, in deviations from the mean."""

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.encoder.layouts import labels_settings
from makar.families.encoder.regressor_config import RegressorConfig
from makar.families.encoder.voting import CutsWindows, VotingFamily, noted
from makar.families.family import Batch, Loss
from makar.tensor_spec import SCORE, TARGET


@runtime_checkable
class ReadsNumbers(CutsWindows, Protocol):
    """What is needed of a codec of texts with numbers."""

    def number(self, deviations: Any) -> Any:
        """Return numbers as the data have them."""


class RegressorFamily(VotingFamily):
    """A reader of texts with numbers.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    answer: ClassVar[str] = SCORE
    config: RegressorConfig

    def judged(self, said: Tensor, right: Tensor, *, smoothing: float) -> Loss:
        """Return the mean squared error; there is nothing to be careful about."""
        del smoothing
        return Loss(value=functional.mse_loss(said[:, 0], right.float()), count=len(right), unit="mse")

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``score``, float32 ``[batch]``, in deviations from the mean of the training texts."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        return {"score": self.said(batch[TARGET])[:, 0].cpu().numpy()}

    def read_text(self, text: str, codec: ReadsNumbers, *, query: str | None) -> dict[str, Any]:
        """Return the number of a text; of a text that is longer than what is read at once the mean over windows.

        Args:
            text: The text.
            codec: The codec of the model.
            query: Must be ``None``: it answers no question.

        Raises:
            UsageError: There is a question, or the text is empty.
        """
        rows = self.rows_of(text, codec, query)
        return {"score": float(codec.number(self.said(rows).mean())), **noted(rows)}

    def settings(self, codec: Any) -> dict[str, Any]:
        """Return the name of the number, which transformers says in deviations from the mean."""
        del codec
        return {"problem_type": "regression", **labels_settings(("score",))}

    def onnx_module(self) -> tuple[nn.Module, str, dict[str, Tensor]]:
        """Return the network from tokens to the number, in deviations from the mean."""
        return _Number(self), "score", {}


class _Number(nn.Module):
    """From tokens to the number."""

    def __init__(self, family: RegressorFamily) -> None:
        super().__init__()
        self.network, self.share = family.network, float(family.gram_share)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch one"]:
        return self.network.mixed(self.network.votes(tokens), self.share)
