"""Rotary positions: a head of width 2n holds n planes, and position t turns plane i by t * base^(-i/n).

Channel i shares a plane with channel i + n. A rotation keeps the root mean square, so norm and rotation may change places; a gain comes
between them (norm, gain, rotation), as in Qwen3. nanochat turns the other way (``clockwise``).

A longer context than a network learned with is reached by turning slower: all planes by one factor (Chen et al. 2023, arXiv 2306.15595), or
as Llama 3.1 does (Grattafiori et al. 2024, arXiv 2407.21783) only those that do not come round within the context that was learned.

Source: Su et al. 2021, arXiv 2104.09864, equation 34, in the half-split order of GPT-NeoX.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

Table = tuple[Tensor, Tensor]


def rotary_frequencies(head_width: int, *, base: float, scaling: Sequence[float] = ()) -> Float[Tensor, " planes"]:
    """Return by how many radians each plane turns from one position to the next, float32 on the CPU.

    Args:
        head_width: Channels of a head.
        base: Base of the wavelengths.
        scaling: Nothing; one factor for all planes; or as in Llama 3.1 the factor, the low and the high border (how often a plane turns
            within the context that was learned), and that context.
    """
    # base^(-i/n) exactly as the reference implementations round it.
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32) / head_width
    frequencies = 1.0 / (base**exponents)
    if not scaling:
        return frequencies
    if len(scaling) == 1:
        return frequencies / scaling[0]
    factor, low, high, learned = scaling
    turns = learned * frequencies / (2 * math.pi)
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - share) * frequencies / factor + share * frequencies


def rotary_table(
    positions: Int[Tensor, " length"],
    *,
    head_width: int,
    base: float,
    clockwise: bool = False,
    scaling: Sequence[float] = (),
) -> tuple[Float[Tensor, "length head_width"], Float[Tensor, "length head_width"]]:
    """Return the tables of cosines and signed sines.

    The result of a rotation is ``x * cosines + swapped(x) * sines`` where ``swapped`` exchanges the halves.

    Args:
        positions: Positions in the text, from 0.
        head_width: Channels of a head.
        base: Base of the wavelengths.
        clockwise: Whether the angles grow the other way.
        scaling: See ``rotary_frequencies``.
    """
    frequencies = rotary_frequencies(head_width, base=base, scaling=scaling).to(positions.device)
    angles = positions.float()[:, None] * frequencies
    cosines, sines = angles.cos(), angles.sin() * (-1.0 if clockwise else 1.0)
    return torch.cat((cosines, cosines), -1), torch.cat((-sines, sines), -1)


def rotate(x: Float[Tensor, "... length head_width"], table: Table) -> Float[Tensor, "... length head_width"]:
    """Return ``x`` turned by the table's angles."""
    half = x.shape[-1] // 2
    return torch.addcmul(x * table[0], torch.cat((x[..., half:], x[..., :half]), -1), table[1])


def rotate_back(x: Float[Tensor, "... length head_width"], table: Table) -> Float[Tensor, "... length head_width"]:
    """Return ``x`` turned by the opposite angles, which is the gradient of ``rotate``."""
    return rotate(x, (table[0], -table[1]))
