"""A start from data: before the first step the network already predicts which token follows which.

With every branch at zero the network is output layer x norm x embedding of the last token. So embeddings E (rows of root mean square 1)
and output layer H are chosen such that H E[x] are the logits of the smoothed probabilities of what follows x. When the tokens that
occur are not more than the channels, the rows of E are orthogonal and H is exact. Otherwise both come from the best low-rank
factors of the logits, and one further channel, which the output layer ignores, brings the rows of E to equal length, so that the norm
does not bend them.

Source: Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization" (factors of the log-probabilities).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.families.transformer.network import TransformerNetwork

LARGEST_VOCABULARY = 4096
"""Tokens up to which the table of pairs is formed: 64 MB."""


def count_pairs(windows: list[Int[Tensor, "_ length"]], vocabulary: int) -> Float[Tensor, "vocabulary vocabulary"]:
    """Return how often each token (column) follows each token (row), float32."""
    counts = torch.zeros(vocabulary * vocabulary)
    for tokens in windows:
        counts += torch.bincount((tokens[:, :-1] * vocabulary + tokens[:, 1:]).flatten(), minlength=len(counts))
    return counts.view(vocabulary, vocabulary)


def following_logits(counts: Float[Tensor, "rows vocabulary"]) -> Float[Tensor, "rows vocabulary"]:
    """Return logits of the next token: Witten-Bell smoothing of the pairs with the single tokens, those with a uniform share.

    Source: Witten and Bell 1991, IEEE Transactions on Information Theory 37(4).
    """
    single = counts.sum(0) + 0.5
    single = single / single.sum()
    totals, kinds = counts.sum(1, keepdim=True), (counts > 0).sum(1, keepdim=True).clamp(min=1)
    logits = ((counts + kinds * single) / (totals + kinds)).log()
    return logits - logits.max(1, keepdim=True).values


@torch.no_grad()
def start_from_pairs(
    network: TransformerNetwork, counts: Float[Tensor, "vocabulary vocabulary"], generator: torch.Generator
) -> None:
    """Set embeddings and output layer so that the network predicts the pairs.

    Args:
        network: A network whose branches are zero and whose output layer is separate.
        counts: How often each token follows each token.
        generator: Source of the directions.
    """
    width = network.config.width
    seen = counts.sum(1).nonzero().squeeze(1)
    logits = following_logits(counts[seen])
    if cap := network.logit_cap:
        # The cap's own inverse; the logits are shifted into its range first.
        lowest, highest = -0.95 * cap, 0.6 * cap
        logits = torch.atanh((logits + highest).clamp(lowest, highest) / cap) * cap
    if len(seen) <= width:
        square = torch.randn(width, width, generator=generator)
        directions = torch.linalg.qr(square).Q[: len(seen)] * width**0.5
        head = logits.T @ directions / width
    else:
        directions, head = _low_rank(logits, counts[seen].sum(1), width)
    embeddings = torch.randn(network.embeddings.shape, generator=generator)
    embeddings[seen] = directions
    network.embeddings.copy_(embeddings)
    assert network.separate_head is not None
    network.separate_head.copy_(head)


def _low_rank(logits: Tensor, totals: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return rows of root mean square 1 and an output layer whose products approach the logits, frequent rows first."""
    weights = (totals / totals.sum()).sqrt()[:, None]
    left, values, right = torch.linalg.svd(logits * weights, full_matrices=False)
    rank = min(width - 1, len(values))
    factors = left[:, :rank] * values[:rank] / weights
    lengths = factors.square().sum(1)
    longest = lengths.max()
    rows = torch.zeros(len(logits), width)
    rows[:, :rank] = factors
    rows[:, -1] = (longest - lengths).clamp(min=0).sqrt()
    scale = (width / longest).sqrt()
    head = torch.zeros(logits.shape[1], width)
    head[:, :rank] = right[:rank].T / scale
    return rows * scale, head
