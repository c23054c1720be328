"""A source beside the noise: brought to the size of the image, seen as further channels, and what it says linearly taken out beforehand.

The network sees the source at every place, joined to the noisy image (Saharia et al. 2021, Palette, arXiv 2111.05826). A smaller
source is enlarged bicubically (Saharia et al. 2021, SR3, arXiv 2104.07636), a larger one, such as pixels beside latents, is folded.
Decision: what a place of the source says linearly of the same place of the image, found by least squares, is the mean of the
preconditioning, so the network learns only the rest: of an enlargement the detail, of a grey picture the colours, and of edges nearly all.

Noise of a known amount added to the source in training makes the network ready for sources that are not clean; a further channel tells the
amount (Ho et al. 2021, conditioning augmentation, arXiv 2106.15282).
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.preconditioning import SMALLEST_DEVIATION

RIDGE = 1e-4
"""Added to the second moments of the source, as a share of their mean, so that channels that say the same can be solved for."""

WHOLE_RANGE = 2.0
"""From black to white in the range of the model."""


def placed(
    source: Float[Tensor, "batch channels rows columns"], config: DiffusionConfig
) -> Float[Tensor, "batch planes height width"]:
    """Return sources at the size of the images.

    Args:
        source: As the codec makes it.
        config: Sizes of both.
    """
    if config.source_fold > 1:
        return F.pixel_unshuffle(source, config.source_fold)
    if source.shape[2:] == (config.height, config.width):
        return source
    return F.interpolate(source, size=(config.height, config.width), mode="bicubic", align_corners=False)


def with_noise(
    source: Float[Tensor, "batch channels rows columns"], *, most: float, generator: torch.Generator
) -> tuple[Float[Tensor, "batch channels rows columns"], Float[Tensor, " batch"]]:
    """Return sources with noise of random amounts, and the amounts as shares of the range.

    Args:
        source: In -1..1.
        most: Largest deviation, as a share of the range.
        generator: Source of randomness, on the CPU.
    """
    amount = most * torch.rand(len(source), generator=generator)
    noise = torch.randn(source.shape, generator=generator)
    noisy = source + (WHOLE_RANGE * amount[:, None, None, None] * noise).to(source.device)
    return noisy, amount.to(source.device)


def linear_guess(
    pairs: Iterable[tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch planes height width"]]],
) -> tuple[Float[Tensor, "channels planes"], Float[Tensor, " channels"], Float[Tensor, " channels"]] | None:
    """Return weights, constant and remaining deviation of the best linear guess of an image from its source, place by place.

    Args:
        pairs: Images and their placed sources; without channels in the sources the constant is the mean of the images.

    Returns:
        ``None`` without any pair.
    """
    count, squares = 0, torch.zeros(())
    seen_moments, joint_moments = torch.zeros(()), torch.zeros(())
    for data, source in pairs:
        values = data.double().transpose(0, 1).flatten(1)
        seen = source.double().transpose(0, 1).flatten(1)
        seen = torch.cat([seen, torch.ones_like(values[:1])])
        count += values.shape[1]
        squares = squares + values.square().sum(1)
        seen_moments = seen_moments + seen @ seen.T
        joint_moments = joint_moments + values @ seen.T
    if not count:
        return None
    own = seen_moments / count
    joint = joint_moments / count
    planes = own.diagonal()[:-1]
    ridge = torch.cat([torch.full_like(planes, RIDGE * float(planes.mean()) if len(planes) else 0.0), torch.zeros(1)])
    solved = torch.linalg.solve(own + ridge.to(own.device).diag(), joint.T).T
    left = squares / count - 2 * (solved * joint).sum(1) + ((solved @ own) * solved).sum(1)
    return solved[:, :-1].float(), solved[:, -1].float(), left.clamp(min=SMALLEST_DEVIATION**2).sqrt().float()
