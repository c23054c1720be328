"""What training images look like to the autoencoder: mean and covariance of their latents and of what is left over, followed in training.

Two uses. An image is strange when its description lies far from those of the training images, in units of their spread (the distance of
Mahalanobis 1936); nats alone are a poor score, because simple images take few of them whatever they show (Nalisnick et al. 2018, arXiv
1810.09136). And latents drawn from a Gaussian that was fitted to those of the data give better samples than the prior, which the encoder
never quite fills (Ghosh et al. 2019, arXiv 1903.12436, section 4).

Latents of a network that was trained for a minute know little of outlines, so these may be described too, by histograms of the directions
of edges over a coarse grid (Dalal and Triggs 2005); nothing of them is learned but their moments.

The moments are running ones over the last ``MEMORY`` batches that were looked at, so that they follow the weights; they
are buffers, and are saved with the model.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MEMORY = 25
"""Batches behind the running moments."""

MOST_LATENTS = 1024
"""Above this many latents an image is described by those of the whole image alone; the covariance would grow too large."""

RIDGE = 0.05
"""Added to the variances, as a share of their mean: the covariance of some hundred values from some thousand images is noisy."""

CELLS = 8
"""Errors are averaged over a grid of at most so many cells a side."""

SMALLEST_ERROR = 1e-3

DIRECTIONS = 8
"""Directions of edges that are told apart, over the whole circle."""

OUTLINE_RIDGE = 0.3
"""``RIDGE`` of outlines, whose small variances say less."""

FAINT = 0.1
"""Added to the length of a histogram before it is divided by: an image without edges has no direction."""


class Description(nn.Module):
    """Running moments of descriptions.

    Args:
        latents: Number of latents that are described; the first values of a description.
        errors: Number of error cells; the last values of a description.
        ridge: Added to the variances, as a share of their mean.
    """

    mean: Tensor
    covariance: Tensor
    posterior_variance: Tensor
    updates: Tensor
    waited: Tensor

    def __init__(self, latents: int, errors: int, *, ridge: float = RIDGE) -> None:
        super().__init__()
        self.latents, self.ridge = latents, ridge
        length = latents + errors
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("covariance", torch.zeros(length, length))
        self.register_buffer("posterior_variance", torch.ones(latents))
        self.register_buffer("updates", torch.zeros(()))
        self.register_buffer("waited", torch.zeros(()))

    def reset(self) -> None:
        """Forget everything: an image is then expected to be described by zeros, as by the prior."""
        self.mean.zero_()
        self.covariance.zero_()
        self.posterior_variance.fill_(1.0)
        self.updates.zero_()
        self.waited.zero_()

    @torch.no_grad()
    def update(self, values: Float[Tensor, "batch length"], variances: Float[Tensor, "batch latents"]) -> None:
        """Take the descriptions of a batch of training images into the moments.

        Args:
            values: Descriptions.
            variances: Variances of the latents under the posterior.
        """
        self.updates += 1
        share = torch.clamp(1 / self.updates, min=1 / MEMORY)
        batch_mean = values.mean(0)
        centred = values - batch_mean
        shift = batch_mean - self.mean
        spread = centred.T @ centred / len(values)
        # The covariance of a mixture: that within the parts, and that of their means.
        self.covariance.copy_((1 - share) * (self.covariance + share * torch.outer(shift, shift)) + share * spread)
        self.mean.add_(share * shift)
        self.posterior_variance.lerp_(variances.mean(0), float(share))

    def distance(self, values: Float[Tensor, "batch length"]) -> Float[Tensor, " batch"]:
        """Return squared distances from the mean, in units of the spread, divided by the length: about 1 for usual images."""
        length = len(self.mean)
        if not self.updates:
            return values.square().mean(1)
        variance = self.covariance.diagonal().double()
        scale = torch.ones_like(variance)
        parts = (slice(0, self.latents), slice(self.latents, length))
        for part in parts[0 if self.latents else 1 :]:
            scale[part] = variance[part].mean().sqrt().clamp(min=1e-6)
        matrix = self.covariance.double() / torch.outer(scale, scale)
        matrix += self.ridge * torch.eye(length, dtype=torch.float64, device=matrix.device)
        centred = (values - self.mean).double() / scale
        solved = torch.linalg.solve(matrix, centred.T).T
        return ((centred * solved).sum(1) / length).float()

    def fitted(self, noise: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch latents"]:
        """Return standard normal draws moved and stretched to the Gaussian of the latents of training images."""
        if not self.updates:
            return noise
        part = slice(0, self.latents)
        covariance = self.covariance[part, part].double() + torch.diag(self.posterior_variance.double())
        factor = torch.linalg.cholesky(covariance)
        return self.mean[part] + (noise.double() @ factor.T).float()


def error_cells(
    error: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch cells"]:
    """Return logs of the mean square error over the cells of a grid."""
    grid = (min(CELLS, error.shape[2]), min(CELLS, error.shape[3]))
    return torch.log(F.adaptive_avg_pool2d(error.square().mean(1, keepdim=True), grid).flatten(1) + SMALLEST_ERROR)


def outlines(images: Float[Tensor, "batch channels height width"], *, cells: int) -> Float[Tensor, "batch values"]:
    """Return histograms of the directions of edges over a grid, as a vector of about length 1.

    Args:
        images: -1 to 1; the channels are averaged.
        cells: Cells of the grid along each side.

    Returns:
        float32 ``[batch, cells * cells * DIRECTIONS]``, not below 0.
    """
    grey = images.mean(1)
    across, down = torch.zeros_like(grey), torch.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = (across.square() + down.square() + 1e-12).sqrt() / 2
    turn = torch.remainder(torch.atan2(down, across) / (2 * torch.pi), 1) * DIRECTIONS
    kinds = []
    for direction in range(DIRECTIONS):
        apart = (turn - direction).abs()
        # An edge between two directions counts for both, by how near it is.
        share = (1 - torch.minimum(apart, DIRECTIONS - apart)).clamp(min=0)
        kinds.append(F.adaptive_avg_pool2d((share * strength)[:, None], cells).flatten(1))
    found = torch.cat(kinds, dim=1).sqrt()
    return found / (found.norm(dim=1, keepdim=True) + FAINT)
