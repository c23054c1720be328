"""Settings and exact sizes of the style-based adversarial model (Karras et al. 2018, 1812.04948; 2019, 1912.04958); no torch.

Departures, all for minutes on a processor: the finest level has a ``patch``-th of the resolution, the last convolution alone is at the
full one, and the discriminator sees the image folded; a level grows by convolving first and enlarging then, which costs a quarter and
commutes with the linear filter; one output, through a tanh, instead of a sum over levels; few layers of mapping. A test compares the
counts with the built networks.
"""

import dataclasses
import itertools
from typing import ClassVar

from makar.config import setting
from makar.families.gan.config import WIDEST, GanConfig, halved_sizes


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleganConfig(GanConfig):
    """Settings of a StyleGAN."""

    kind: ClassVar[str] = "stylegan"
    target: ClassVar[str] = "makar.families.gan.stylegan_family:StyleganFamily"

    mapping_layers: int = setting(2, meaning="layers from the random vector to the style", minimum=1, maximum=16)
    mixing: float = setting(
        0.5, meaning="share of the training images made with the styles of two vectors", minimum=0.0, maximum=1.0
    )
    patch: int = setting(2, meaning="pixels that are folded into one position, along each side", choices=(1, 2, 4))

    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of every level of the folded image, the finest first."""
        return halved_sizes(-(-self.height // self.patch), -(-self.width // self.patch))

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of every level, the finest first."""
        return tuple(self.features * min(WIDEST, 2**level) for level in range(len(self.level_sizes)))

    @property
    def style_layers(self) -> int:
        """Layers that take a style: one at the coarsest level, two at each other, and the output."""
        return 2 * len(self.level_sizes)

    @property
    def noise_positions(self) -> int:
        """Random numbers that an image takes beside its vector: one a position of every layer but the output."""
        sizes = [rows * columns for rows, columns in self.level_sizes]
        return sizes[-1] + 2 * sum(sizes[:-1])

    @property
    def folded_channels(self) -> int:
        """Channels of the folded image that the discriminator begins with."""
        return self.channels * self.patch**2

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters of both networks."""
        latent, widths, pixels = self.latent_width, self.level_widths, self.folded_channels
        rows, columns = self.level_sizes[-1]
        first = latent * (2 if self.classes else 1)
        generator = first * latent + (self.mapping_layers - 1) * latent * latent + self.mapping_layers * latent
        generator += rows * columns * widths[-1] + _styled(widths[-1], widths[-1], latent)
        discriminator = 9 * pixels * widths[0] + widths[0]
        for fine, coarse in itertools.pairwise(widths):
            generator += _styled(coarse, fine, latent) + _styled(fine, fine, latent)
            discriminator += 9 * fine * fine + fine + 9 * fine * coarse + coarse + fine * coarse
        generator += 9 * widths[0] * self.channels + latent * widths[0] + widths[0] + self.channels
        last = widths[-1]
        discriminator += 9 * last * last + last + rows * columns * last * last + last + last + 1
        if self.classes:
            generator += self.classes * latent
            discriminator += self.classes * last
        return generator + discriminator

    def forward_operations(self) -> tuple[float, float]:
        """Return operations of one pass of the generator and of the discriminator; activations and resampling are left out."""
        latent, widths, pixels = self.latent_width, self.level_widths, self.folded_channels
        places = [rows * columns for rows, columns in self.level_sizes]
        first = latent * (2 if self.classes else 1)
        generator = first * latent + (self.mapping_layers - 1) * latent * latent
        generator += _styled_products(widths[-1], widths[-1], latent, places[-1])
        discriminator = 9 * pixels * widths[0] * places[0]
        for level, (fine, coarse) in enumerate(itertools.pairwise(widths)):
            here, below = places[level], places[level + 1]
            generator += _styled_products(coarse, fine, latent, below) + _styled_products(fine, fine, latent, here)
            discriminator += 9 * fine * fine * here + 10 * fine * coarse * below
        generator += 9 * widths[0] * self.channels * self.height * self.width + latent * widths[0]
        last = widths[-1]
        discriminator += 10 * last * last * places[-1] + last
        return 2.0 * generator, 2.0 * discriminator

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for one image, at two bytes a value, both networks."""
        values = sum(rows * columns * width for (rows, columns), width in zip(self.level_sizes, self.level_widths))
        # Two layers a level with about four values kept each; the discriminator sees a real and a made image.
        return 2.0 * (2 * 4 + 2 * 2 * 3) * values + 16.0 * self.height * self.width * self.channels


def _styled(inputs: int, outputs: int, latent: int) -> int:
    """Parameters of a styled layer: filters, the map from style to scales, bias, strength of the noise."""
    return 9 * inputs * outputs + latent * inputs + inputs + outputs + 1


def _styled_products(inputs: int, outputs: int, latent: int, places: int) -> int:
    """Products of a styled layer: filters, style, and the matrix that demodulates."""
    return 9 * inputs * outputs * places + latent * inputs + inputs * outputs
