"""Settings and exact sizes of the convolutional adversarial model of Radford et al. 2015 (arXiv 1511.06434); no torch.

As published: a random vector is projected to about 4 x 4 and grown by transposed convolutions of 4 x 4 and stride 2 with batch norm and
ReLU to a tanh; the discriminator is its mirror image with leaky ReLU. Channels double with every level. A test compares the counts
with the built networks.
"""

import dataclasses
import itertools
from typing import ClassVar

from makar.config import setting
from makar.families.gan.config import GanConfig, halved_sizes

KERNEL = 16
"""Weights of a 4 x 4 filter."""

GROWN_TAPS = 4
"""Weights of it that meet at one position of the finer side, at stride 2."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DcganConfig(GanConfig):
    """Settings of a DCGAN."""

    kind: ClassVar[str] = "dcgan"
    target: ClassVar[str] = "makar.families.gan.dcgan_family:DcganFamily"

    judge_norm: str = setting(
        "batch",
        meaning="norm in the discriminator: batch as published, none judges every image by itself",
        choices=("batch", "none"),
    )

    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of every level below the image, the finest first."""
        return halved_sizes(self.height, self.width)[1:]

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of every level below the image: they double as the resolution halves."""
        return tuple(self.features * 2**level for level in range(len(self.level_sizes)))

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters of both networks."""
        widths, (rows, columns) = self.level_widths, self.level_sizes[-1]
        inputs = self.latent_width * (2 if self.classes else 1)
        generator = inputs * rows * columns * widths[-1] + 2 * sum(widths) + self.classes * self.latent_width
        generator += self._filters() + KERNEL * widths[0] * self.channels + self.channels
        return generator + self.judge_parameter_count()

    def judge_parameter_count(self) -> int:
        """Return the exact number of trainable parameters of the discriminator."""
        widths, (rows, columns) = self.level_widths, self.level_sizes[-1]
        count = KERNEL * self.channels * widths[0] + widths[0] + self._filters()
        # A batch norm has a gain and a bias a channel; without it there is the bias alone.
        count += (2 if self.judge_norm == "batch" else 1) * sum(widths[1:])
        return count + rows * columns * widths[-1] + 1 + self.classes * widths[-1]

    def _filters(self) -> int:
        return sum(KERNEL * fine * coarse for fine, coarse in itertools.pairwise(self.level_widths))

    def forward_operations(self) -> tuple[float, float]:
        """Return operations of one pass of the generator and of the discriminator; norms and activations are left out."""
        widths, sizes = self.level_widths, self.level_sizes
        rows, columns = sizes[-1]
        # Transposed convolutions compute all of what is doubled, before the edge is cut off; convolutions see what is padded to even.
        outer = 4 * sizes[0][0] * sizes[0][1]
        between = sum(
            4 * below[0] * below[1] * GROWN_TAPS * fine * coarse
            for below, fine, coarse in zip(sizes[1:], widths, widths[1:])
        )
        inputs = self.latent_width * (2 if self.classes else 1)
        ends = outer * GROWN_TAPS * widths[0] * self.channels
        generator = inputs * rows * columns * widths[-1] + between + ends
        discriminator = rows * columns * widths[-1] + between + ends
        return 2.0 * generator, 2.0 * discriminator

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value, both networks."""
        values = sum(rows * columns * width for (rows, columns), width in zip(self.level_sizes, self.level_widths))
        # Before and after the norm and after the activation; the discriminator sees a real and a made image.
        return 2.0 * 3 * 3 * (values + self.height * self.width * self.channels)
