"""At which times the network is trained: logit-normal or uniform, stratified over the batch.

Logit-normal times (Esser et al. 2024, arXiv 2403.03206, eq. 19) put the effort between noise and data, where the velocity is hard to
predict; a deviation of 0 stands for uniform times. The batch is stratified (one draw in each of ``count`` equal slices of probability,
as in Kingma et al. 2021, arXiv 2107.00630, appendix I.1), which removes the variance between batches that random times bring.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def training_times(count: int, *, mean: float, deviation: float, generator: torch.Generator) -> Float[Tensor, " batch"]:
    """Draw the times of a batch.

    Args:
        count: Examples in the batch.
        mean: Mean of the logit of the time; above 0 is nearer to the data.
        deviation: Standard deviation of the logit; 0 draws uniform times.
        generator: Source of randomness, on the CPU.

    Returns:
        Times strictly between 0 and 1, in the order of their slices, float32.
    """
    shares = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    shares = shares.clamp(1e-5, 1 - 1e-5)
    if deviation == 0:
        return shares
    return torch.sigmoid(mean + deviation * torch.special.ndtri(shares))


def validation_times(count: int) -> Float[Tensor, " batch"]:
    """Return the midpoints of ``count`` equal slices of [0, 1], in an order in which neighbours are far apart."""
    # A stride coprime to the count visits every slice once and spreads any run of similar examples over all times.
    stride = max(1, round(count * 0.618))
    while torch.gcd(torch.tensor(stride), torch.tensor(count)) != 1:
        stride += 1
    return ((torch.arange(count) * stride) % count + 0.5) / count
