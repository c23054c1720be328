"""The evidence lower bound: nats to describe an image by its latents, and the two parts of it that are reported apart.

    -log p(x) <= E_q(z|x) [-log p(x|z)] + KL(q(z|x) || p(z))        Kingma and Welling 2013 (arXiv 1312.6114), equation 3
                 reconstruction           divergence

For a Gaussian q against the standard normal the divergence is (mean^2 + deviation^2 - 1) / 2 - log deviation a latent
(their appendix B). In training the divergence is multiplied by beta (Higgins et al. 2017), and the mean divergence of
a channel over the batch counts as ``free_bits`` where it is less (Kingma et al. 2016, arXiv 1606.04934, equation 15).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def divergence_of_channels(
    mean: Float[Tensor, "batch rows columns channels"], log_deviation: Float[Tensor, "batch rows columns channels"]
) -> Float[Tensor, "batch channels"]:
    """Return the divergence from the standard normal in nats, summed over positions.

    Args:
        mean: Means of the latents.
        log_deviation: Logs of their standard deviations.
    """
    nats = 0.5 * (mean.square() + torch.exp(2 * log_deviation) - 1) - log_deviation
    return nats.sum((1, 2))


def pressed_divergence(divergences: Sequence[Tensor], *, free_bits: float) -> Float[Tensor, ""]:
    """Return the divergence that training lowers: mean over the batch, each channel at least ``free_bits``.

    Args:
        divergences: From ``divergence_of_channels``, one ``[batch, channels]`` a level.
        free_bits: Nats a channel that cost nothing to use.
    """
    means = torch.cat(list(divergences), dim=1).mean(0)
    return means.clamp(min=free_bits).sum() if free_bits > 0 else means.sum()


def add_noise(
    image: Float[Tensor, "batch channels height width"], *, share: float, largest: float, generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Return the images with Gaussian noise in a share of them, its deviation drawn for each; values stay in -1..1.

    An encoder that has met noise takes it away (Im et al. 2015, arXiv 1511.06406).

    Args:
        image: Clean images.
        share: Share of the images that get noise.
        largest: Largest deviation.
        generator: Source of randomness, on the CPU.
    """
    chosen = torch.rand(len(image), generator=generator) < share
    deviation = largest * torch.rand(len(image), generator=generator) * chosen
    noise = torch.randn(image.shape, generator=generator) * deviation[:, None, None, None]
    return (image + noise.to(image.device)).clamp(-1, 1)


def black_and_white(
    image: Float[Tensor, "batch channels height width"], generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Return images of -1 and 1 whose mean is the image (Salakhutdinov and Murray 2008); such images stay as they are."""
    uniform = torch.rand(image.shape, generator=generator).to(image.device)
    return torch.where(uniform < (image + 1) / 2, 1.0, -1.0)
