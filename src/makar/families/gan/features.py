"""Fixed features of an image, in which distances between sets of images are taken: no training, the same on every machine.

Four kinds: a thumbnail of 4 x 4 (layout and colour); at three scales the strength of random edge filters in each quarter of the image
(texture, sharpness); and a second layer of random filters on top (arrangement). Random convolutions are known to keep much of what learned
ones measure (Ulyanov et al. 2017, arXiv 1711.10925; Naeem et al. 2020, arXiv 2002.09797, section 3.3, for comparing generators with a
randomly initialised network). Each feature is centred and scaled by the training images, so a distance counts in deviations of the data.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FILTER_SEED = 20150
"""Draws the filters; another would make losses of different versions incomparable."""

EDGES = 12
SECOND = 32
SCALES = 3
THUMBNAIL = 4
SMALLEST_DEVIATION = 1e-3


class FixedFeatures(nn.Module):
    """Turns images into vectors.

    Args:
        channels: Channels of the images.
    """

    edges: Tensor
    second: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(FILTER_SEED)
        edges = torch.randn(EDGES, channels, 3, 3, generator=generator)
        # Without their mean they answer to edges and not to brightness, which the thumbnail has.
        edges = edges - edges.mean((2, 3), keepdim=True)
        second = torch.randn(SECOND, EDGES, 3, 3, generator=generator)
        self.register_buffer("edges", edges / edges.flatten(1).norm(dim=1)[:, None, None, None], persistent=False)
        self.register_buffer("second", second / math.sqrt(second[0].numel()), persistent=False)
        self.width = channels * THUMBNAIL**2 + 4 * (SCALES * EDGES + SECOND)
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("deviation", torch.ones(self.width))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """Return features of about unit length in all, float32.

        Args:
            images: Images, -1..1; what lies outside is clipped, as it will be in a file.
        """
        return self.scaled(self.measure(images))

    def scaled(self, raw: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return measured features centred and scaled."""
        return (raw - self.mean) / self.deviation / math.sqrt(self.width)

    def measure(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """Return features as they are, neither centred nor scaled."""
        x = images.float().clamp(-1, 1)
        found = [F.adaptive_avg_pool2d(x, THUMBNAIL)]
        for scale in range(SCALES):
            answers = F.conv2d(x, self.edges, padding=1).abs()
            found.append(F.adaptive_avg_pool2d(answers, 2))
            if scale == 0:
                higher = F.conv2d(F.avg_pool2d(answers, 2), self.second, padding=1).abs()
                found.append(F.adaptive_avg_pool2d(higher, 2))
            if min(x.shape[2:]) >= 4:
                x = F.avg_pool2d(x, 2)
        return torch.cat([part.flatten(1) for part in found], 1)

    def fit(self, raw: Float[Tensor, "images features"]) -> None:
        """Take mean and deviation from features of the training images."""
        self.mean.copy_(raw.mean(0))
        self.deviation.copy_(raw.std(0, unbiased=False).clamp(min=SMALLEST_DEVIATION))
