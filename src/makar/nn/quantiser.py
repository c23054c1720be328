"""Two ways from vectors to tokens and back: a codebook that follows its vectors, and rounding to a finite grid of scalars.

Codebook (van den Oord et al. 2017, arXiv 1711.00937): a vector becomes the nearest of the codes. The codes are
running means of the vectors that chose them (their appendix A.1): n <- decay n + (1 - decay) count, m <- decay m + (1
- decay) sum, code = m / n. A code that is hardly chosen is moved onto a vector of the present batch (Dhariwal et al.
2020, arXiv 2005.00341, section 3.1), else most codes die early. Vectors are normed first, so that distances keep
their scale.

Finite scalars (Mentzer et al. 2023, arXiv 2309.15505, section 3): every value of a short vector is squeezed into a
range and rounded to one of a few levels; the token is the number whose digits they are. There is no codebook that
could die.

In both, the gradient passes the rounding as if it were not there (Bengio et al. 2013, arXiv 1308.3432).
"""

import math
from collections.abc import Sequence

import torch
import torch.distributed
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

SMALLEST_COUNT = 1e-5


class Codebook(nn.Module):
    """A learned codebook.

    Args:
        codes: Number of codes.
        width: Length of a code.
        decay: Share of the running means that stays at each step.
        restart_share: A code chosen less often than this share of the even use is moved; 0 never moves one.
        norms: Whether vectors are normed first; what an earlier codebook left over must keep its length.
    """

    vectors: Tensor
    counts: Tensor

    def __init__(self, codes: int, width: int, *, decay: float, restart_share: float, norms: bool = True) -> None:
        super().__init__()
        self.norms = norms
        self.codes = codes
        self.decay = decay
        self.restart_share = restart_share
        # The sums m are vectors times counts; keeping the quotient keeps one buffer less.
        self.register_buffer("vectors", torch.zeros(codes, width))
        self.register_buffer("counts", torch.ones(codes))
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._candidates: Tensor | None = None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the codes from the normal distribution of normed vectors."""
        self.vectors.copy_(torch.randn(self.vectors.shape, generator=generator))
        self.counts.fill_(1.0)
        self._seen, self._candidates = [], None

    def start_from(self, x: Float[Tensor, "count width"], generator: torch.Generator) -> None:
        """Put every code onto one of these vectors, twice or more where they are fewer than the codes."""
        chosen = torch.cat([torch.randperm(len(x), generator=generator) for _ in range(math.ceil(self.codes / len(x)))])
        self.vectors.copy_(self.normed(x.float())[chosen[: self.codes]])

    def normed(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Return vectors with mean 0 and variance 1 each, or as they are where they are not to be normed."""
        return F.layer_norm(x, (x.shape[-1],)) if self.norms else x

    def tokens(self, x: Float[Tensor, "*batch width"]) -> Int[Tensor, "*batch"]:
        """Return the number of the nearest code of every vector, normed first."""
        return self._nearest(self.normed(x.float()))

    def _nearest(self, normed: Tensor) -> Tensor:
        # |x - c|^2 = |x|^2 - 2 x c + |c|^2, and the first term is the same for every code.
        return (self.vectors.square().sum(1) - 2 * (normed @ self.vectors.T)).argmin(-1)

    def lookup(self, tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch width"]:
        """Return the codes of tokens."""
        return F.embedding(tokens, self.vectors)

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> tuple[Float[Tensor, "*batch width"], Int[Tensor, "*batch"], Float[Tensor, ""]]:
        """Return the quantised vectors with the gradient of their input, the tokens, and the commitment loss (a mean square)."""
        normed = self.normed(x.float())
        with torch.no_grad():
            tokens = self._nearest(normed)
        found = self.lookup(tokens)
        commitment = F.mse_loss(normed, found)
        return normed + (found - normed).detach(), tokens, commitment

    def watch(
        self, x: Float[Tensor, "*batch width"], tokens: Int[Tensor, "*batch"], generator: torch.Generator
    ) -> None:
        """Remember what a training batch chose, for the next ``update``.

        Args:
            x: The vectors before quantisation.
            tokens: What they became.
            generator: Draws the vectors that dead codes could move onto.
        """
        normed = self.normed(x.detach().float()).flatten(0, -2)
        choice = F.one_hot(tokens.flatten(), self.codes).to(normed.dtype)
        self._seen.append((choice.sum(0), choice.T @ normed))
        picked = torch.randint(len(normed), (self.codes,), generator=generator)
        self._candidates = normed[picked.to(normed.device)]

    @torch.no_grad()
    def update(self) -> None:
        """Move the codes towards what chose them since the last update, and the dead ones elsewhere."""
        if not self._seen or self._candidates is None:
            return
        counts = torch.stack([count for count, _ in self._seen]).sum(0)
        sums = torch.stack([total for _, total in self._seen]).sum(0)
        candidates = self._candidates
        self._seen, self._candidates = [], None
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(counts)
            torch.distributed.all_reduce(sums)
            torch.distributed.broadcast(candidates, src=0)
        kept = self.decay * self.counts
        new_counts = kept + (1 - self.decay) * counts
        totals = kept[:, None] * self.vectors + (1 - self.decay) * sums
        self.vectors.copy_(totals / new_counts.clamp(min=SMALLEST_COUNT)[:, None])
        self.counts.copy_(new_counts)
        even = float(counts.sum()) / self.codes
        dead = self.counts < self.restart_share * even
        self.vectors.copy_(torch.where(dead[:, None], candidates, self.vectors))
        # With the even use it stays long enough to be found.
        self.counts.copy_(torch.where(dead, even, self.counts))


class FiniteScalars(nn.Module):
    """Rounding of every value to one of a few levels.

    Args:
        levels: Levels of each value, at least 2 each.
    """

    levels: Tensor
    bases: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.codes = math.prod(levels)
        bases = [math.prod(levels[:number]) for number in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32), persistent=False)
        self.register_buffer("bases", torch.tensor(bases, dtype=torch.int64), persistent=False)

    def bounded(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Return values whose rounding gives exactly as many integers as there are levels, around 0 (their appendix A.1)."""
        half = (self.levels - 1) * (1 - 1e-3) / 2
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        # With two levels the middle is the edge between them, and no shift is needed.
        shift = torch.atanh(torch.where(self.levels > 2, offset / half, 0.0))
        return torch.tanh(x.float() + shift) * half - offset

    def lookup(self, tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch width"]:
        """Return the vectors of tokens, -1 to 1."""
        digits = tokens[..., None] // self.bases % self.levels.long()
        half = torch.floor(self.levels / 2)
        return (digits.float() - half) / half

    def tokens(self, x: Float[Tensor, "*batch width"]) -> Int[Tensor, "*batch"]:
        """Return the number whose digits are the rounded values."""
        digits = torch.round(self.bounded(x)) + torch.floor(self.levels / 2)
        return (digits.long() * self.bases).sum(-1)

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> tuple[Float[Tensor, "*batch width"], Int[Tensor, "*batch"], Float[Tensor, ""]]:
        """Return the rounded vectors with the gradient of their input, the tokens, and a commitment loss of zero."""
        bounded = self.bounded(x)
        half = torch.floor(self.levels / 2)
        rounded = bounded + (torch.round(bounded) - bounded).detach()
        return rounded / half, self.tokens(x), torch.zeros((), device=x.device)


def perplexity(tokens: Int[Tensor, "*batch"], codes: int) -> float:
    """Return how many codes are in even use: the exponential of the entropy of the tokens, 1 to ``codes``."""
    shares = torch.bincount(tokens.flatten(), minlength=codes).double()
    shares = shares / shares.sum()
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))
