"""Dropout whose masks come from a given generator, eight channels a random number.

torch's own dropout draws from the global generator, and a draw a channel would cost as much as a layer of a small network. Here one
64-bit number decides eight channels, so the share is rounded to 1/256.

Source: Srivastava et al. 2014, Journal of Machine Learning Research 15.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def dropped(x: Float[Tensor, "..."], share: float, generator: torch.Generator | None) -> Float[Tensor, "..."]:
    """Return ``x`` with a share of its entries zero and the others scaled up to keep the mean.

    Args:
        x: Any tensor.
        share: Share of zeros, 0 to 0.9; 0 returns ``x`` itself.
        generator: Source of the masks, on the CPU; ``None`` returns ``x`` itself, as outside training.
    """
    zeros = round(share * 256)
    if generator is None or zeros == 0:
        return x
    draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    kept = (draws.view(torch.uint8)[: x.numel()] >= zeros).view(x.shape).to(device=x.device, dtype=x.dtype)
    return x * kept.mul_(256 / (256 - zeros))
