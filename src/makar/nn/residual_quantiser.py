"""From a vector to several tokens and back: each codebook quantises what those before it left over.

The vector is normed once, so that distances keep their scale; the first codebook finds its nearest code, the second the code nearest to
the difference, and so on; the sum of the codes stands for the vector (Zeghidour et al. 2021, arXiv 2107.03312, algorithm 1). In training
only the first few codebooks are used for a share of the examples, so that any number of them is enough to decode (their section III-C).
The codes are running means, and dead ones are moved (``makar.nn.quantiser``).
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.nn.quantiser import Codebook


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Quantised:
    """What became of vectors.

    Attributes:
        vectors: The quantised vectors, with the gradient of their input, ``[batch, length, width]``.
        tokens: ``[batch, codebooks, length]``.
        commitment: Mean square of what every codebook left over.
        left: What every codebook saw, ``[codebooks, batch, length, width]``, without gradient.
    """

    vectors: Float[Tensor, "batch length width"]
    tokens: Int[Tensor, "batch codebooks length"]
    commitment: Float[Tensor, ""]
    left: Float[Tensor, "codebooks batch length width"]


class ResidualCodebooks(nn.Module):
    """Several codebooks, one after the other.

    Args:
        count: Number of codebooks.
        codes: Codes of each.
        width: Length of a code.
        decay: Share of the running means that stays at each step.
        restart_share: A code chosen less often than this share of the even use is moved; 0 never moves one.
    """

    def __init__(self, count: int, codes: int, width: int, *, decay: float, restart_share: float) -> None:
        super().__init__()
        self.codebooks = nn.ModuleList(
            Codebook(codes, width, decay=decay, restart_share=restart_share, norms=False) for _ in range(count)
        )

    def _all(self) -> list[Codebook]:
        return [part for part in self.codebooks if isinstance(part, Codebook)]

    def start_from(self, x: Float[Tensor, "count width"], generator: torch.Generator) -> None:
        """Put the codes onto these vectors, those of later codebooks onto what is then left over."""
        left = self.normed(x)
        for codebook in self._all():
            codebook.start_from(left, generator)
            left = left - codebook.lookup(codebook.tokens(left))

    def normed(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Return vectors with mean 0 and variance 1 each, float32."""
        return F.layer_norm(x.float(), (x.shape[-1],))

    def tokens(self, x: Float[Tensor, "batch length width"]) -> Int[Tensor, "batch codebooks length"]:
        """Return the tokens of vectors, those of the first codebook first."""
        left, found = self.normed(x), []
        for codebook in self._all():
            found.append(codebook.tokens(left))
            left = left - codebook.lookup(found[-1])
        return torch.stack(found, 1)

    def lookup(self, tokens: Int[Tensor, "batch some_codebooks length"]) -> Float[Tensor, "batch length width"]:
        """Return the sum of the codes of tokens, of the first codebooks where there are fewer rows than codebooks."""
        found = [codebook.lookup(row) for codebook, row in zip(self._all(), tokens.unbind(1))]
        return torch.stack(found).sum(0)

    def forward(self, x: Float[Tensor, "batch length width"], used: Int[Tensor, " batch"]) -> Quantised:
        """Quantise vectors with the first few codebooks of each example.

        Args:
            x: The vectors.
            used: How many codebooks count, at least 1.
        """
        normed = self.normed(x)
        with torch.no_grad():
            tokens = self.tokens(x)
        left, total, seen, commitments = normed, torch.zeros_like(normed), [], []
        for number, codebook in enumerate(self._all()):
            seen.append(left.detach())
            found = codebook.lookup(tokens[:, number])
            commitments.append(F.mse_loss(left, found))
            total = total + found * (used > number)[:, None, None]
            left = left - found
        return Quantised(
            vectors=normed + (total - normed).detach(),
            tokens=tokens,
            commitment=torch.stack(commitments).mean(),
            left=torch.stack(seen),
        )

    def watch(self, quantised: Quantised, generator: torch.Generator) -> None:
        """Remember what a training batch chose, for the next ``update``."""
        for number, codebook in enumerate(self._all()):
            codebook.watch(quantised.left[number], quantised.tokens[:, number], generator)

    def update(self) -> None:
        """Move the codes towards what chose them since the last update, and the dead ones elsewhere."""
        for codebook in self._all():
            codebook.update()
