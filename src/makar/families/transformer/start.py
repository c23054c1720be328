"""A start from data: before the first step the network predicts which token follows which, and its first heads look back.

With every branch at zero the network is output layer x norm x embedding of the last token. So embeddings E (rows of root mean square 1)
and output layer H are chosen such that H E[x] are the logits of the smoothed probabilities of what follows x. When the tokens that
occur are fewer than the channels, the rows of E are orthogonal and H is exact. Otherwise both come from the best low-rank factors of
the logits, and one further channel, which the output layer ignores, brings the rows of E to equal length, so that the norm does not
bend them.

One more channel is the same for all tokens. Through it the output layer knows the usual logits, and queries and keys get a part that
does not depend on the token, only, by its rotation, on the position: head h of the first block attends mostly h places back, which
otherwise takes hundreds of steps to learn.

Measured on tiny_shakespeare, mainstream, 2 x 64, 300,000 tokens: 2.075 nats a character drawn blindly, 1.860 started so. At 610,000
tokens without the usual logits in the constant channel: 1.879 instead of 1.782.

Source: Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization" (factors of the log-probabilities); Olsson et al.
2022, arXiv 2209.11895 (heads that look at the previous token); the rotation's phase as in Su et al. 2021, arXiv 2104.09864.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.errors import ConfigError
from makar.families.transformer.network import TransformerNetwork

LARGEST_VOCABULARY = 4096
"""Tokens up to which the table of pairs is formed: 64 MB."""

CONSTANT_SHARE = 0.25
"""Share of an embedding's square length that is the same for all tokens; 0.1 does as well (1.857), 0.5 worse (1.879)."""

POSITION_STRENGTH = 4.0
"""Length of the part of queries and keys that only knows positions, as a multiple of the part that knows tokens; 2 to 8 do as well."""

SLOWEST_RADIANS = 0.099
"""Planes that turn slower a position cannot tell neighbours apart and take no part in looking back."""


def count_pairs(windows: list[Int[Tensor, "_ length"]], vocabulary: int) -> Float[Tensor, "vocabulary vocabulary"]:
    """Return how often each token (column) follows each token (row), float32."""
    counts = torch.zeros(vocabulary * vocabulary)
    for tokens in windows:
        counts += torch.bincount((tokens[:, :-1] * vocabulary + tokens[:, 1:]).flatten(), minlength=len(counts))
    return counts.view(vocabulary, vocabulary)


def following_logits(counts: Float[Tensor, "rows vocabulary"]) -> Float[Tensor, "rows vocabulary"]:
    """Return logits of the next token, the largest of each row 0: Witten-Bell smoothing of pairs with single tokens.

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
    """Set embeddings, output layer and the first block's queries and keys.

    Args:
        network: A network whose branches are zero and whose output layer is separate.
        counts: How often each token follows each token.
        generator: Source of the directions of the embeddings.
    """
    if network.separate_head is None:
        raise ConfigError("shared embeddings cannot hold the pairs", expected="a separate output layer")
    width = network.config.width
    seen = counts.sum(1).nonzero().squeeze(1)
    logits = following_logits(counts[seen])
    if cap := network.logit_cap:
        # The cap's own inverse; softmax ignores the shift that uses its range on both sides.
        logits = torch.atanh((logits + 0.6 * cap).clamp(min=-0.95 * cap) / cap) * cap
    totals = counts[seen].sum(1)
    # What all tokens have in common, above all that some are never followed to, needs no rank: it goes through the constant channel.
    usual = (totals @ logits) / totals.sum()
    logits = logits - usual
    if len(seen) < width:
        square = torch.randn(width - 1, width - 1, generator=generator)
        directions = torch.linalg.qr(square).Q[: len(seen)]
        head = logits.T @ directions
    else:
        directions, head = _low_rank(logits, totals, width - 1)
    known = (1 - CONSTANT_SHARE) ** 0.5
    embeddings = torch.randn(network.config.vocabulary, width - 1, generator=generator) * width**-0.5
    embeddings[seen] = directions
    network.embeddings[:, :-1] = embeddings * known * width**0.5
    network.embeddings[:, -1] = (CONSTANT_SHARE * width) ** 0.5
    network.separate_head[:, :-1] = head / (known * width**0.5)
    network.separate_head[:, -1] = usual / (CONSTANT_SHARE * width) ** 0.5
    _look_back(network)


def _look_back(network: TransformerNetwork) -> None:
    """Let head h of the first block attend mostly to the position h places back, counting from 1."""
    config = network.config
    half, width = config.head_width // 2, config.width
    turns = config.rotary_base ** (-torch.arange(0, config.head_width, 2) / config.head_width)
    used = (turns >= SLOWEST_RADIANS).float()
    length = POSITION_STRENGTH * (config.head_width / used.sum() / width).sqrt() if used.any() else used.sum()
    rows = network.get_parameter("blocks.0.attention.projected.weight").view(-1, config.head_width, width)
    direction = -1.0 if config.layout == "compact" else 1.0
    rows[: config.heads, :half, -1] += used * length
    for head in range(config.shared_heads):
        # A key turned ahead by its distance meets the query in phase exactly there.
        angles = direction * (head + 1) * turns
        rows[config.heads + head, :half, -1] += used * length * angles.cos()
        rows[config.heads + head, half:, -1] += used * length * angles.sin()


def _low_rank(logits: Tensor, totals: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return rows of length 1 and an output layer whose products approach the logits, those of frequent rows best."""
    weights = (totals / totals.sum()).sqrt()[:, None]
    left, values, right = torch.linalg.svd(logits * weights, full_matrices=False)
    rank = min(width - 1, len(values))
    factors = left[:, :rank] * values[:rank] / weights
    lengths = factors.norm(dim=1)
    # A rare token's logits may be many times as long; it is shortened rather than all others squeezed.
    order = lengths.argsort()
    place = int((totals[order].cumsum(0) < 0.95 * totals.sum()).sum())
    longest = lengths[order[place]]
    rows = torch.zeros(len(logits), width)
    rows[:, :rank] = factors / lengths.clamp(min=float(longest))[:, None]
    rows[:, -1] = (1 - rows.square().sum(1)).clamp(min=0).sqrt()
    head = torch.zeros(logits.shape[1], width)
    head[:, :rank] = right[:rank].T * longest
    return rows, head
