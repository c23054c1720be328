"""A chain of tags: how well a sequence of tags fits, the sum over all sequences, and the best of them.

With e the scores of tags at words, t those of a tag after another and s those of a tag at the start, a sequence y scores
s(y1) + sum e(i, yi) + sum t(yi-1, yi), and its probability is exp(score) / Z. Z comes by the forward recursion, the best sequence by
Viterbi's. What may not be (an inside after an outside) scores ``NEVER``, so no decision is ever invalid.

Source: Lafferty, McCallum and Pereira 2001, "Conditional random fields", equations 1 and 2; Lample et al. 2016, arXiv 1603.01360,
section 2.2.
"""

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEVER = -1e4


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Scores of tags.

    Attributes:
        at: Of each tag at each word ``[batch, words, tags]``.
        after: Of a tag (column) after another (row) ``[tags, tags]``.
        first: Of a tag at the start ``[tags]``.
        exists: Which words are there ``[batch, words]``; they come first, and every row has one at least.
    """

    at: Float[Tensor, "batch words tags"]
    after: Float[Tensor, "tags tags"]
    first: Float[Tensor, " tags"]
    exists: Bool[Tensor, "batch words"]

    def mixed(self, other: "Chain", share: float) -> "Chain":
        """Return the chain whose scores are those of both, the other's with its share."""
        at, after, first = (
            (1 - share) * mine + share * others
            for mine, others in ((self.at, other.at), (self.after, other.after), (self.first, other.first))
        )
        return Chain(at=at, after=after, first=first, exists=self.exists)


def log_total(chain: Chain) -> Float[Tensor, " batch"]:
    """Return log Z of every row."""
    total = chain.first + chain.at[:, 0]
    for place in range(1, chain.at.shape[1]):
        longer = torch.logsumexp(total[:, :, None] + chain.after, 1) + chain.at[:, place]
        total = torch.where(chain.exists[:, place, None], longer, total)
    return torch.logsumexp(total, 1)


def score_of(chain: Chain, tags: Int[Tensor, "batch words"]) -> Float[Tensor, " batch"]:
    """Return the score of a sequence of tags for every row.

    Args:
        chain: The scores.
        tags: One tag a word; what stands where no word is does not matter.
    """
    named = torch.where(chain.exists, tags, 0)
    at = chain.at.gather(2, named[..., None])[..., 0]
    steps = chain.after[named[:, :-1], named[:, 1:]]
    inside = torch.where(chain.exists[:, 1:], at[:, 1:] + steps, 0.0).sum(1)
    return chain.first[named[:, 0]] + at[:, 0] + inside


def best_tags(chain: Chain) -> Int[Tensor, "batch words"]:
    """Return the best sequence of every row, 0 where no word is."""
    total, came = chain.first + chain.at[:, 0], []
    for place in range(1, chain.at.shape[1]):
        longer, before = (total[:, :, None] + chain.after).max(1)
        there = chain.exists[:, place, None]
        total = torch.where(there, longer + chain.at[:, place], total)
        came.append(torch.where(there, before, torch.arange(before.shape[1], device=before.device)))
    found = [total.argmax(1)]
    for before in reversed(came):
        found.append(before.gather(1, found[-1][:, None])[:, 0])
    return torch.where(chain.exists, torch.stack(found[::-1], 1), 0)


def chances(chain: Chain) -> Float[Tensor, "batch words tags"]:
    """Return the probability of every tag at every word: the gradient of log Z with respect to the scores at the words."""
    with torch.enable_grad():
        at = chain.at.detach().requires_grad_(True)
        total = log_total(dataclasses.replace(chain, at=at, after=chain.after.detach(), first=chain.first.detach()))
        (gradient,) = torch.autograd.grad(total.sum(), at)
    return gradient
