"""The networks of the variational autoencoder: a ladder of latent variables between the levels of a convolutional decoder.

Bottom-up, the encoder leaves features at every level. Top-down, from a vector for the whole image and from a learned
start at the deepest level, each level with latents first looks at what the decoder has so far and, when there is an
image, at the encoder's features; that gives mean and deviation of the latents there; they are added to the decoder's
features through a 1x1 convolution, and the level's blocks work on the sum.

Decision: the prior of the latents of every level is the standard normal. In the ladder of Sonderby et al. 2016 (arXiv
1602.02282) with the residual posterior of Vahdat and Kautz 2020 (arXiv 2007.03898, section 3.2) the divergence of a
level depends only on the shift and scale relative to the prior, so a prior that follows the coarser latents can as
well be a part of the decoder. It makes a sample one draw of noise, and every image a point in one Gaussian, between
which one can interpolate.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.families.vae.config import VaeConfig
from makar.families.vae.description import CELLS, DIRECTIONS, MOST_LATENTS, OUTLINE_RIDGE, Description
from makar.nn.autoencoder import DenseBlock, ImageDecoder, ImageEncoder
from makar.nn.convolution import Pointwise
from makar.nn.likelihood import image_mean

LOG_DEVIATION_RANGE = (-7.0, 2.0)
SMALLEST_DEVIATION = 0.05
"""Of a data set of one flat colour, which would otherwise divide by zero."""

Posterior = tuple[Tensor, Tensor]
"""Mean and log deviation of the latents of a level, float32 ``[batch, rows, columns, channels]``."""

Choose = Callable[[int, Posterior | None], Tensor]
"""From the number of a latent level, the coarsest 0, and its posterior, where there is an image, to the latents."""


class LatentLevel(nn.Module):
    """The latents of one level: what an image says of them, and how they enter the decoder.

    Args:
        width: Channels of the level.
        channels: Latent channels.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.join = Pointwise(2 * width, width)
        self.describe = Pointwise(width, 2 * channels, scale=0.5)
        self.inject = Pointwise(channels, width)

    def posterior(self, state: Tensor, features: Tensor) -> Posterior:
        """Return mean and log deviation from the decoder's state and the encoder's features."""
        both = torch.cat([F.layer_norm(part, (part.shape[-1],)) for part in (state, features)], dim=-1)
        mean, log_deviation = self.describe(F.silu(self.join(both))).float().chunk(2, dim=-1)
        return mean, log_deviation.clamp(*LOG_DEVIATION_RANGE)

    def forward(self, state: Tensor, latents: Tensor) -> Tensor:
        """Return the state with the latents in it."""
        return state + self.inject(latents.to(state.dtype))


class VectorLevel(nn.Module):
    """The latents of the image as a whole, under the deepest level of the decoder.

    Every value of the deepest features meets every value of the vector: an image has few places there, and a dense layer
    costs less than the convolutions that would carry something across them.

    Args:
        places: Positions of the deepest level.
        width: Its channels.
        vector: Length of the vector.
        latents: Number of latents.
    """

    def __init__(self, *, places: int, width: int, vector: int, latents: int) -> None:
        super().__init__()
        self.narrow = Pointwise(places * width, vector)
        self.look = DenseBlock(vector)
        self.describe = Pointwise(vector, 2 * latents, scale=0.5)
        self.inject = Pointwise(latents, vector)
        self.say = DenseBlock(vector)
        self.start = nn.Parameter(torch.zeros(vector))
        self.widen = Pointwise(vector, places * width)

    def posterior(self, features: Tensor) -> Posterior:
        """Return mean and log deviation, ``[batch, 1, 1, latents]``, from the deepest features."""
        flat = F.layer_norm(features, (features.shape[-1],)).flatten(1)
        vector = self.look(self.narrow(flat))
        said = self.describe(F.silu(F.layer_norm(vector, (vector.shape[-1],)))).float()
        mean, log_deviation = said[:, None, None].chunk(2, dim=-1)
        return mean, log_deviation.clamp(*LOG_DEVIATION_RANGE)

    def forward(self, state: Tensor, latents: Tensor) -> Tensor:
        """Return the state of the deepest level with what the vector says of every place."""
        vector = self.say(self.inject(latents[:, 0, 0].to(state.dtype)) + self.start.to(state.dtype))
        return state + self.widen(F.silu(F.layer_norm(vector, (vector.shape[-1],)))).reshape(state.shape)


class VaeNetwork(nn.Module):
    """Encoder, latents and decoder.

    Args:
        config: Sizes, with channels, height and width known.
    """

    data_mean: Tensor
    data_deviation: Tensor

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_type = torch.float32
        shape = config.encoder_shape
        self.encoder = ImageEncoder(
            channels=config.channels, patch=config.patch, widths=shape.widths, blocks=config.blocks
        )
        self.decoder = ImageDecoder(
            outputs=config.outputs, patch=config.patch, widths=shape.widths, sizes=shape.sizes, blocks=config.blocks
        )
        self.latents = nn.ModuleList(
            LatentLevel(shape.widths[level], config.latent_channels[level]) for level in config.latent_levels
        )
        self.vector = (
            VectorLevel(
                places=shape.places[-1],
                width=shape.widths[-1],
                vector=config.vector_width,
                latents=config.vector_latents,
            )
            if config.vector_latents
            else None
        )
        self.start = nn.Parameter(torch.zeros(*shape.sizes[-1], shape.widths[-1]))
        if config.likelihood == "gaussian":
            self.log_deviation = nn.Parameter(torch.zeros(config.channels, 1, 1))
        described = config.latent_count
        if described > MOST_LATENTS:
            described = min(config.vector_latents, MOST_LATENTS)
        self.description = Description(described, min(CELLS, config.height) * min(CELLS, config.width))
        cells = config.outline_cells
        self.outlines = Description(0, cells * cells * DIRECTIONS, ridge=OUTLINE_RIDGE) if cells else None
        image = (config.channels, config.height, config.width)
        self.register_buffer("data_mean", torch.zeros(image))
        self.register_buffer("data_deviation", torch.full((config.channels, 1, 1), 0.5))

    def look(self, image: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """Return the encoder's features of every level, the finest first."""
        centred = (image - self.data_mean) / self.data_deviation
        return self.encoder(centred.to(self.compute_type))

    def unroll(
        self, count: int | torch.SymInt, features: Sequence[Tensor] | None, choose: Choose
    ) -> tuple[Tensor, Tensor | None]:
        """Go down the ladder.

        Args:
            count: Number of images.
            features: From ``look``; ``None`` without images.
            choose: Gives the latents of each level.

        Returns:
            (location, log scale) of every value for ``makar.nn.likelihood``, float32; no scale with Bernoulli.
        """
        config = self.config
        state = self.start.to(self.compute_type).expand(count, -1, -1, -1)
        if self.vector is not None:
            found = None if features is None else self.vector.posterior(features[-1])
            state = self.vector(state, choose(0, found))
        first = 0 if self.vector is None else 1
        last = len(config.multipliers) - 1
        for level in reversed(range(last + 1)):
            if level < last:
                state = self.decoder.rise(level, state)
            if level in config.latent_levels:
                number = config.latent_levels.index(level)
                part = self.latents[number]
                assert isinstance(part, LatentLevel), "the list holds nothing else"
                found = None if features is None else part.posterior(state, features[level])
                state = part(state, choose(first + number, found))
            state = self.decoder.refine(level, state)
        return self._said(self.decoder.finish(state, height=config.height, width=config.width))

    def _said(self, raw: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.config.likelihood == "bernoulli":
            # The log odds of the mean pixel: 2 artanh of a mean from -1 to 1.
            return raw + 2 * torch.atanh(self.data_mean.clamp(-0.96, 0.96)), None
        location = self.data_mean + self.data_deviation * raw[:, : self.config.channels]
        if self.config.likelihood == "gaussian":
            return location, (self.log_deviation + torch.log(self.data_deviation))[None]
        return location, raw[:, self.config.channels :] + torch.log(self.data_deviation) - 1


class Encoding(nn.Module):
    """For export: an image to the means of its latents, all levels in one row, the coarsest first.

    Args:
        network: The network.
    """

    def __init__(self, network: VaeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch latents"]:
        found: list[Tensor] = []

        def mean(number: int, posterior: Posterior | None) -> Tensor:
            assert posterior is not None, f"level {number} saw no image"
            found.append(posterior[0])
            return posterior[0]

        self.network.unroll(image.shape[0], self.network.look(image), mean)
        return torch.cat([latent.flatten(1) for latent in found], dim=1)


class Decoding(nn.Module):
    """For export: latents as ``Encoding`` gives them to the mean image, -1 to 1.

    Args:
        network: The network.
    """

    def __init__(self, network: VaeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch channels height width"]:
        shapes = [(rows, columns, channels) for channels, rows, columns in self.network.config.latent_shapes]
        parts = latents.split([rows * columns * channels for rows, columns, channels in shapes], dim=1)

        def given(number: int, posterior: Posterior | None) -> Tensor:
            del posterior
            return parts[number].reshape(-1, *shapes[number])

        location, _ = self.network.unroll(latents.shape[0], None, given)
        return image_mean(self.network.config.likelihood, location)
