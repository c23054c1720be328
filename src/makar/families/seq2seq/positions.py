"""What attention adds for distances: near ones have a number of their own, far ones share it the more, the farther they are.

Half of the buckets are for exact distances, the other half grow with the logarithm up to a farthest distance (Raffel et al. 2020, arXiv
1910.10683, section 2.1, as the code of T5 counts them: in both directions half of the buckets each, backwards alone all of them).
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def distance_buckets(
    distances: Int[Tensor, "..."], *, buckets: int, farthest: int, both_ways: bool
) -> Int[Tensor, "..."]:
    """Return the bucket of each distance from the position that asks to the one that is looked at.

    Args:
        distances: Positive is ahead.
        buckets: Number of buckets.
        farthest: Distance from which on all share the last.
        both_ways: Whether what lies ahead is told apart; otherwise it counts as distance 0.

    >>> distance_buckets(torch.tensor([-200, -3, 0, 3]), buckets=32, farthest=128, both_ways=True).tolist()
    [15, 3, 0, 19]
    """
    if both_ways:
        buckets //= 2
        ahead = (distances > 0).long() * buckets
        far = distances.abs()
    else:
        ahead, far = torch.zeros_like(distances), (-distances).clamp(min=0)
    exact = buckets // 2
    # The same float32 arithmetic as transformers, so that no distance falls into another bucket.
    share = torch.log(far.clamp(min=1).float() / exact) / math.log(farthest / exact)
    growing = (exact + (share * (buckets - exact)).long()).clamp(max=buckets - 1)
    return ahead + torch.where(far < exact, far, growing)


class DistanceBias(nn.Module):
    """One number a head and bucket.

    Args:
        buckets: Number of buckets.
        heads: Number of heads.
        farthest: Distance from which on all share the last bucket.
        both_ways: Whether what lies ahead is told apart.
    """

    def __init__(self, *, buckets: int, heads: int, farthest: int, both_ways: bool) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(buckets, heads))
        self._buckets, self._farthest, self._both_ways = buckets, farthest, both_ways

    def forward(
        self, asking: Int[Tensor, " queries"], seen: Int[Tensor, " keys"]
    ) -> Float[Tensor, "heads queries keys"]:
        """Return what is added to the scores.

        Args:
            asking: Positions that ask.
            seen: Positions that are looked at.
        """
        found = distance_buckets(
            seen[None, :] - asking[:, None],
            buckets=self._buckets,
            farthest=self._farthest,
            both_ways=self._both_ways,
        )
        return self.table[found].permute(2, 0, 1)
