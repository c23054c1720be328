"""The networks of the style-based model: mapping, synthesis under styles and noise, and a residual discriminator.

Sources: Karras et al. 2018 (arXiv 1812.04948) for the mapping, the learned constant and the noise; 2019 (1912.04958) for modulation with
demodulation and the residual discriminator. Linear enlargement is the filter [1, 3, 3, 1] of that paper. The discriminator has no norm
and no statistic of the batch, so the penalties are of one image each, and the relativistic objective keeps diversity (Huang et al. 2025,
arXiv 2501.05441, section 3). Its answer for a class is a projection (Miyato and Koyama 2018, arXiv 1802.05637, equation 3).
"""

import itertools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.gan.stylegan_config import StyleganConfig
from makar.nn.convolution import Convolution, Pointwise, fold
from makar.nn.modulated_convolution import ModulatedConvolution

SLOPE = 0.2
GAIN = math.sqrt(2.0)
"""Makes up for the half of the variance that a leaky ReLU takes away."""


class Mapping(nn.Module):
    """From a random vector and a class to a style.

    Args:
        config: Sizes.
    """

    def __init__(self, config: StyleganConfig) -> None:
        super().__init__()
        width = config.latent_width
        self.class_vectors = nn.Parameter(torch.zeros(config.classes, width)) if config.classes else None
        first = width * (2 if config.classes else 1)
        self.layers = nn.ModuleList(
            Pointwise(width if index else first, width, scale=GAIN) for index in range(config.mapping_layers)
        )

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the class vectors as large as the random ones; the layers draw themselves."""
        if self.class_vectors is not None:
            with torch.no_grad():
                drawn = torch.randn(self.class_vectors.shape, generator=generator)
                self.class_vectors.copy_(drawn.to(self.class_vectors.device))

    def forward(
        self, latent: Float[Tensor, "batch latent"], label: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch style"]:
        x = _unit(latent)
        if self.class_vectors is not None:
            x = torch.cat([x, _unit(self.class_vectors[label])], 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return x


class StyledLayer(nn.Module):
    """A modulated convolution, linear enlargement where it grows, noise, bias, leaky ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        style_width: Length of the style.
        size: (rows, columns) of the result.
        grows: Whether the result is of twice the resolution.
    """

    def __init__(self, inputs: int, outputs: int, *, style_width: int, size: tuple[int, int], grows: bool) -> None:
        super().__init__()
        self.size = size
        self.grows = grows
        self.convolution = ModulatedConvolution(inputs, outputs, style_width=style_width)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(1))

    def initialise(self, generator: torch.Generator) -> None:
        """Start without noise and bias."""
        del generator
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.noise_strength)

    def forward(
        self,
        x: Float[Tensor, "batch rows columns inputs"],
        style: Float[Tensor, "batch style"],
        noise: Float[Tensor, "batch positions"],
    ) -> Float[Tensor, "batch height width outputs"]:
        x = self.convolution(x, style)
        rows, columns = self.size
        if self.grows:
            x = _enlarged(x, 2, size=self.size)
        speckle = (self.noise_strength * noise).reshape(-1, rows, columns, 1).to(x.dtype)
        return F.leaky_relu(x + speckle + self.bias.to(x.dtype), SLOPE)


class Synthesis(nn.Module):
    """From styles and noise to images.

    Args:
        config: Sizes.
    """

    def __init__(self, config: StyleganConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_type = torch.float32
        sizes, widths, style = config.level_sizes, config.level_widths, config.latent_width
        last = len(sizes) - 1
        self.constant = nn.Parameter(torch.zeros(*sizes[last], widths[last]))
        self.layers = nn.ModuleList(
            [StyledLayer(widths[last], widths[last], style_width=style, size=sizes[last], grows=False)]
        )
        for level in reversed(range(last)):
            coarse, fine = widths[level + 1], widths[level]
            self.layers.append(StyledLayer(coarse, fine, style_width=style, size=sizes[level], grows=True))
            self.layers.append(StyledLayer(fine, fine, style_width=style, size=sizes[level], grows=False))
        places = [rows * columns for rows, columns in sizes]
        self.positions = [places[last], *(place for place in reversed(places[:last]) for _ in range(2))]
        self.out = ModulatedConvolution(widths[0], config.channels, style_width=style, demodulates=False, gain=1.0)
        self.out_bias = nn.Parameter(torch.zeros(config.channels))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the constant from a normal distribution; the layers draw themselves."""
        with torch.no_grad():
            self.constant.copy_(torch.randn(self.constant.shape, generator=generator).to(self.constant.device))
            self.out_bias.zero_()

    def forward(
        self, styles: Float[Tensor, "batch layers style"], noise: Float[Tensor, "batch positions"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return images in -1..1, float32.

        Args:
            styles: One style a layer, of ``config.style_layers``, from coarse to fine.
            noise: Normal random numbers, ``config.noise_positions`` an image.
        """
        config = self.config
        x = self.constant.to(self.compute_type).expand(styles.shape[0], -1, -1, -1)
        start = 0
        for index, (layer, positions) in enumerate(zip(self.layers, self.positions)):
            x = layer(x, styles[:, index], noise[:, start : start + positions])
            start += positions
        if config.patch > 1:
            # Enlarged before the last convolution: four filters side by side, one a pixel, would leave a pattern of the patches.
            x = _enlarged(x, config.patch, size=(config.height, config.width))
        x = self.out(x, styles[:, len(self.layers)]) + self.out_bias.to(x.dtype)
        # A flat black or white ground is exactly at the border, which sums of features never are and the discriminator sees at once.
        return torch.tanh(x.permute(0, 3, 1, 2).float())


class ResidualBlock(nn.Module):
    """Two convolutions with a halving between them, beside a shortcut.

    Args:
        fine: Channels in.
        coarse: Channels out.
    """

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.first = Convolution(fine, fine, scale=GAIN)
        self.second = Convolution(fine, coarse, scale=GAIN)
        self.shortcut = Pointwise(fine, coarse, bias=False)

    def forward(self, x: Float[Tensor, "batch height width fine"]) -> Float[Tensor, "batch rows columns coarse"]:
        inner = F.leaky_relu(self.second(_halved(F.leaky_relu(self.first(x), SLOPE))), SLOPE)
        # Halving the variance of the sum keeps its size through any number of blocks.
        return (inner + self.shortcut(_halved(x))) * math.sqrt(0.5)


class ResidualDiscriminator(nn.Module):
    """From an image, and its class, to how real it looks.

    Args:
        config: Sizes.
    """

    def __init__(self, config: StyleganConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_type = torch.float32
        widths, (rows, columns) = config.level_widths, config.level_sizes[-1]
        last = widths[-1]
        self.enter = Convolution(config.folded_channels, widths[0], scale=GAIN)
        self.blocks = nn.ModuleList(ResidualBlock(fine, coarse) for fine, coarse in itertools.pairwise(widths))
        self.last = Convolution(last, last, scale=GAIN)
        self.gather = Pointwise(rows * columns * last, last, scale=GAIN)
        self.answer = Pointwise(last, 1)
        self.class_vectors = nn.Parameter(torch.zeros(config.classes, last)) if config.classes else None

    def initialise(self, generator: torch.Generator) -> None:
        """Start with the same answer for every class; the layers draw themselves."""
        del generator
        if self.class_vectors is not None:
            nn.init.zeros_(self.class_vectors)

    def forward(
        self, image: Float[Tensor, "batch channels height width"], label: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return one number an image, float32; larger is more real."""
        patch = self.config.patch
        x = image.to(self.compute_type).permute(0, 2, 3, 1)
        x = F.pad(x, (0, 0, 0, -x.shape[2] % patch, 0, -x.shape[1] % patch))
        x = fold(x, patch) if patch > 1 else x.contiguous()
        x = F.leaky_relu(self.enter(x), SLOPE)
        for block in self.blocks:
            x = block(x)
        x = F.leaky_relu(self.last(x), SLOPE).flatten(1)
        # The answer itself is in float32: differences between answers are small beside the answers.
        x = F.leaky_relu(self.gather(x).to(self.answer.weight.dtype), SLOPE)
        answer = self.answer(x)[:, 0]
        if self.class_vectors is not None:
            answer = answer + (x * self.class_vectors[label]).sum(1) / math.sqrt(x.shape[1])
        return answer


def _halved(x: Tensor) -> Tensor:
    # An odd edge is averaged over what is there.
    view = F.avg_pool2d(x.permute(0, 3, 1, 2), 2, ceil_mode=True, count_include_pad=False)
    return view.permute(0, 2, 3, 1)


def _enlarged(x: Tensor, factor: int, *, size: tuple[int, int]) -> Tensor:
    """Enlarge linearly and cut to a size."""
    view = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=float(factor), mode="bilinear", align_corners=False)
    return view[:, :, : size[0], : size[1]].permute(0, 2, 3, 1)


def _unit(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
