"""Weights in 4 bits: NormalFloat, the quantiles of a normal distribution, with one scale for every block of 64 numbers.

A block is divided by its largest magnitude and every number becomes the nearest of 16 levels, two to a byte; a scale takes 32 bits, so a
weight takes 4.5. The levels are such that numbers from a normal distribution meet each of them equally often, and 0 is one of them. Scales
are not quantised a second time: that would save 0.37 bits a weight.

Source: Dettmers et al. 2023, arXiv 2305.14314, section 3 (block-wise 4-bit NormalFloat) and appendix E (the levels).
"""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 64
PIECE = 8192
"""Blocks that are put into 4 bits at a time."""
LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
BYTES_A_WEIGHT = (4 + 32 / BLOCK) / 8


class NormalFloat:
    """A matrix in 4 bits a number.

    Args:
        weight: The matrix.
    """

    def __init__(self, weight: Float[Tensor, "rows columns"]) -> None:
        self.shape = tuple(weight.shape)
        flat, device = weight.detach().reshape(-1), weight.device
        blocks = -(-len(flat) // BLOCK)
        self._codes = torch.empty(blocks * BLOCK // 2, dtype=torch.uint8, device=device)
        self._scales = torch.empty(blocks, 1, device=device)
        levels = torch.tensor(LEVELS, device=device)
        # In pieces: what is formed on the way takes four times the memory of the numbers.
        for start in range(0, blocks, PIECE):
            part = flat[start * BLOCK : (start + PIECE) * BLOCK].float()
            filled = torch.nn.functional.pad(part, (0, -len(part) % BLOCK)).view(-1, BLOCK)
            scales = filled.abs().amax(1, keepdim=True)
            # A block of zeros has no largest number to divide by.
            shares = filled / scales.clamp(min=torch.finfo(torch.float32).tiny)
            # Between two levels the nearer one is chosen: what is beyond their middle belongs to the upper.
            codes = torch.bucketize(shares, (levels[1:] + levels[:-1]) / 2, out_int32=True).to(torch.uint8).view(-1, 2)
            end = start + len(filled)
            self._codes[start * BLOCK // 2 : end * BLOCK // 2] = codes[:, 0] * 16 + codes[:, 1]
            self._scales[start:end] = scales

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self._codes.numel() + 4 * self._scales.numel()

    def dense(self, dtype: torch.dtype, *, out: Tensor | None = None) -> Float[Tensor, "rows columns"]:
        """Return the matrix as it was rounded.

        Args:
            dtype: Type of the numbers.
            out: Memory for at least ``padded`` numbers of that type, which is overwritten; ``None`` takes new memory.
        """
        pairs = _pairs(dtype, str(self._codes.device))
        values = torch.empty(self.padded, dtype=dtype, device=self._codes.device) if out is None else out[: self.padded]
        for start in range(0, len(self._scales), PIECE):
            end = min(start + PIECE, len(self._scales))
            codes = self._codes[start * BLOCK // 2 : end * BLOCK // 2].int()
            piece = torch.nn.functional.embedding(codes, pairs).view(-1, BLOCK)
            torch.mul(piece, self._scales[start:end].to(dtype), out=values[start * BLOCK : end * BLOCK].view(-1, BLOCK))
        rows, columns = self.shape
        return values[: rows * columns].view(rows, columns)

    @property
    def padded(self) -> int:
        """Numbers with those that fill up the last block."""
        return len(self._scales) * BLOCK

    def to(self, device: torch.device) -> None:
        """Move it to a device."""
        self._codes, self._scales = self._codes.to(device), self._scales.to(device)


@functools.cache
def _pairs(dtype: torch.dtype, device: str) -> Tensor:
    """Return both numbers of every byte: one look-up gives two weights."""
    levels = torch.tensor(LEVELS, dtype=dtype, device=device)
    return torch.cartesian_prod(levels, levels)
