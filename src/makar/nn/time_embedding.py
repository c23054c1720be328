"""Time and class as one vector: sines and cosines of the time, a small network, and one learned vector a class.

Source: Vaswani et al. 2017 (arXiv 1706.03762) section 3.5 for the sines; Ho and Salimans 2022 (arXiv 2207.12598) for the extra
class that means "no class", which classifier-free guidance needs.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.nn.convolution import Pointwise

FREQUENCIES = 32
"""Sines, and as many cosines, of the time."""

HIGHEST_FREQUENCY = 256.0
"""Radians over the whole path: half a period is then 1/80 of it, finer than any step taken."""


def time_waves(time: Float[Tensor, " batch"]) -> Float[Tensor, "batch waves"]:
    """Return cosines and sines of the time at frequencies from 1 to ``HIGHEST_FREQUENCY`` radians.

    Args:
        time: Position on the path, 0 (noise) to 1 (data).

    Returns:
        ``2 * FREQUENCIES`` values between -1 and 1, float32.
    """
    exponents = torch.arange(FREQUENCIES, device=time.device, dtype=torch.float32) / (FREQUENCIES - 1)
    angles = time.float()[:, None] * torch.exp(exponents * math.log(HIGHEST_FREQUENCY))
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)


class TimeEmbedding(nn.Module):
    """One vector from a time and a class.

    Args:
        width: Length of the vector.
        classes: Number of classes; 0 for none. Index ``classes`` means "no class".
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.first = Pointwise(2 * FREQUENCIES, width)
        self.second = Pointwise(width, width)
        self.class_vectors = nn.Parameter(torch.zeros(classes + 1, width)) if classes else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the class vectors as large as the vector of the time; the layers draw themselves."""
        if self.class_vectors is not None:
            with torch.no_grad():
                drawn = torch.randn(self.class_vectors.shape, generator=generator)
                self.class_vectors.copy_(drawn.to(self.class_vectors.device))

    def forward(
        self,
        time: Float[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None,
        added: Float[Tensor, "batch width"] | None = None,
    ) -> Float[Tensor, "batch width"]:
        """Return the vector after its last non-linearity, float32.

        Args:
            time: Position on the path, 0 to 1.
            label: Class of every example.
            added: What else is known, for example of a caption.
        """
        vector = self.second(F.silu(self.first(time_waves(time))))
        if self.class_vectors is not None and label is not None:
            vector = vector + self.class_vectors[label]
        if added is not None:
            vector = vector + added
        return F.silu(vector)
