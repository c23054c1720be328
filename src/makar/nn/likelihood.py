"""How likely an image is when a network says something of every pixel: Bernoulli, Gaussian with a learned variance, discretised logistic.

Values run from -1 to 1. All three are in nats of an image of 8-bit values, so that they can be compared: the Gaussian
is a density and is multiplied by the width of one of the 256 steps; the logistic is integrated over the step exactly,
its tails belong to the outermost steps; Bernoulli sees -1 as black and 1 as white.

* Gaussian with one learned deviation a channel: Rybkin et al. 2020 (arXiv 2006.13202, section 4), which finds the balance between
  reconstruction and divergence by itself.
* Discretised logistic with a learned scale a pixel: Kingma et al. 2016 (arXiv 1606.04934, equation 16), Salimans et al. 2017
  (arXiv 1701.05517, equation 2). With a and b the two edges of a step in units of the scale,
  sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which has no cancellation.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

STEP = 2.0 / 255.0
"""Distance between two neighbouring 8-bit values."""

SMALLEST_LOG_SCALE = -7.0
OUTERMOST = 1.0 - STEP / 4
LIKELIHOODS = ("bernoulli", "gaussian", "logistic")


def bernoulli_nats(
    logits: Float[Tensor, "batch channels height width"], image: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, " batch"]:
    """Return minus the log-probability of black and white images.

    Args:
        logits: Log odds of white.
        image: -1 for black, 1 for white; between them the expected nats over images drawn with that mean.
    """
    white = (image + 1) / 2
    return F.binary_cross_entropy_with_logits(logits, white, reduction="none").flatten(1).sum(1)


def gaussian_nats(
    mean: Float[Tensor, "batch channels height width"],
    log_deviation: Float[Tensor, "#batch channels #height #width"],
    image: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, " batch"]:
    """Return minus the log of the density times the width of a step.

    Args:
        mean: Mean of every value.
        log_deviation: Log of the standard deviation, at least ``SMALLEST_LOG_SCALE``.
        image: The values.
    """
    log_deviation = log_deviation.clamp(min=SMALLEST_LOG_SCALE)
    constant = 0.5 * math.log(2 * math.pi) - math.log(STEP)
    nats = 0.5 * ((image - mean) * torch.exp(-log_deviation)).square() + log_deviation + constant
    return nats.flatten(1).sum(1)


def logistic_nats(
    mean: Float[Tensor, "batch channels height width"],
    log_scale: Float[Tensor, "#batch channels #height #width"],
    image: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, " batch"]:
    """Return minus the log-probability of 8-bit values.

    Args:
        mean: Centre of every logistic.
        log_scale: Log of its scale, at least ``SMALLEST_LOG_SCALE``.
        image: The values, each at the middle of its step.
    """
    log_scale = log_scale.clamp(min=SMALLEST_LOG_SCALE)
    inverse = torch.exp(-log_scale)
    centred = image - mean
    upper, lower = (centred + STEP / 2) * inverse, (centred - STEP / 2) * inverse
    below, above = F.logsigmoid(upper), F.logsigmoid(-lower)
    inside = below + above + torch.log(-torch.expm1(-STEP * inverse))
    log_probability = torch.where(image < -OUTERMOST, below, torch.where(image > OUTERMOST, above, inside))
    return -log_probability.flatten(1).sum(1)


def image_nats(
    kind: str,
    location: Float[Tensor, "batch channels height width"],
    log_scale: Float[Tensor, "#batch channels #height #width"] | None,
    image: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, " batch"]:
    """Return minus the log-likelihood of every image.

    Args:
        kind: One of ``LIKELIHOODS``.
        location: Logits (Bernoulli) or means.
        log_scale: Log of the deviation or scale; ``None`` for Bernoulli.
        image: The images.
    """
    if log_scale is None:
        return bernoulli_nats(location, image)
    return (gaussian_nats if kind == "gaussian" else logistic_nats)(location, log_scale, image)


def image_mean(
    kind: str, location: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch channels height width"]:
    """Return the expected image, -1 to 1, from logits or means."""
    return torch.tanh(location / 2) if kind == "bernoulli" else location.clamp(-1, 1)


def image_draw(
    kind: str,
    location: Float[Tensor, "batch channels height width"],
    log_scale: Float[Tensor, "#batch channels #height #width"] | None,
    uniform: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Return an image drawn from the likelihood by inverting its distribution function.

    Args:
        kind: One of ``LIKELIHOODS``.
        location: Logits or means.
        log_scale: Log of the deviation or scale; ``None`` for Bernoulli.
        uniform: Draws between 0 and 1, one a value.
    """
    if log_scale is None:
        return (uniform < torch.sigmoid(location)).to(location.dtype) * 2 - 1
    inner = uniform.clamp(1e-6, 1 - 1e-6)
    standard = torch.special.ndtri(inner) if kind == "gaussian" else torch.logit(inner)
    return (location + torch.exp(log_scale.clamp(min=SMALLEST_LOG_SCALE)) * standard).clamp(-1, 1)
