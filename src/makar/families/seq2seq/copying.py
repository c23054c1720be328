"""Taking tokens over from the source: the next token is one of the vocabulary, or one that stands in the source, where one look points.

The probability of a token is (1 - g) p + g c: p of the output layer, c the attention that the tokens of the source with this name get
together, g a gate. What is learned from a few thousand pairs has no other way to write a name that it has hardly seen. One head points
from the last stream of the decoder to the states that were read.

Source: Gu et al. 2016, arXiv 1603.06393 (copying); See et al. 2017, arXiv 1704.04368, equations 8 and 9 (the gate).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.nn.linear import Linear
from makar.tensor_spec import PADDING_TOKEN

NEVER = float("-inf")
RARELY = -1.0
"""The gate's offset at first: a quarter is copied while nothing is known."""

LEAST = 1e-30
"""Smallest probability whose logarithm is asked for."""


class Copying(nn.Module):
    """One head that points into the source, and the gate.

    Args:
        width: Channels of both streams.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = Linear(width, width)
        self.keys = Linear(width, width)
        self.gate = nn.Parameter(torch.zeros(width))
        self.offset = nn.Parameter(torch.full((1,), RARELY))

    def forward(
        self,
        stream: Float[Tensor, "batch length width"],
        keys: Float[Tensor, "batch others width"],
        source: Int[Tensor, "batch others"],
    ) -> tuple[Float[Tensor, "batch length others"], Float[Tensor, "batch length"]]:
        """Return where each position points, and the logit of the gate, both float32.

        Args:
            stream: Before the output layer, normed.
            keys: ``self.keys`` of the states that were read.
            source: The tokens of it, filled up at the end.
        """
        queries = self.queries(stream) * stream.shape[-1] ** -0.5
        scores = torch.bmm(queries, keys.transpose(1, 2)).float()
        pointing = scores.masked_fill((source == PADDING_TOKEN)[:, None], NEVER).softmax(-1)
        return pointing, (stream.float() @ self.gate) + self.offset

    def beside(
        self,
        stream: Float[Tensor, "batch length width"],
        states: Float[Tensor, "batch others width"],
        source: Int[Tensor, "batch others"],
        target: Int[Tensor, "batch length"],
    ) -> tuple[Float[Tensor, "batch length"], Float[Tensor, "batch length"]]:
        """Return the logarithms of the share of the output layer, and of the probability that each right token has by copying.

        Args:
            stream: Before the output layer, normed.
            states: What was read.
            source: The tokens of it.
            target: The right tokens.
        """
        pointing, gate = self(stream, self.keys(states), source)
        same = source[:, None, :] == target[:, :, None]
        found = (pointing * same).sum(-1).clamp_min(LEAST)
        return functional.logsigmoid(-gate), functional.logsigmoid(gate) + found.log()

    def mixed(
        self,
        logits: Float[Tensor, "rows length vocabulary"],
        stream: Float[Tensor, "rows length width"],
        keys: Float[Tensor, "rows others width"],
        source: Int[Tensor, "rows others"],
    ) -> Float[Tensor, "rows length vocabulary"]:
        """Return the logarithms of the probabilities of all tokens.

        Args:
            logits: Of the output layer.
            stream: Before it, normed.
            keys: ``self.keys`` of the states that were read.
            source: The tokens of it.
        """
        pointing, gate = self(stream, keys, source)
        share = gate.sigmoid()[:, :, None]
        places = source[:, None].expand_as(pointing)
        found = (logits.float().softmax(-1) * (1.0 - share)).scatter_add(2, places, pointing * share)
        return found.clamp_min(LEAST).log()
