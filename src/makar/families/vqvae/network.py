"""The networks of the autoencoder of tokens: encoder, quantiser, decoder."""

import torch
from jaxtyping import Float
from torch import Tensor

from makar.families.vqvae.config import VqvaeConfig
from makar.families.vqvae.token_autoencoder import TokenNetwork
from makar.nn.autoencoder import ImageDecoder, ImageEncoder
from makar.nn.convolution import Pointwise
from makar.nn.quantiser import Codebook, FiniteScalars


class VqvaeNetwork(TokenNetwork):
    """Encoder, quantiser and decoder.

    Args:
        config: Sizes, with channels, height and width known.
    """

    quantiser: Codebook | FiniteScalars

    def __init__(self, config: VqvaeConfig) -> None:
        super().__init__()
        self.config = config
        shape = config.shape
        self.encoder = ImageEncoder(
            channels=config.channels, patch=config.patch, widths=shape.widths, blocks=config.blocks
        )
        self.decoder = ImageDecoder(
            outputs=config.channels, patch=config.patch, widths=shape.widths, sizes=shape.sizes, blocks=config.blocks
        )
        self.narrow = Pointwise(shape.widths[-1], config.vector_width)
        self.widen = Pointwise(config.vector_width, shape.widths[-1])
        self.quantiser = (
            Codebook(config.codes, config.code_width, decay=config.decay, restart_share=config.restart_share)
            if config.quantiser == "codebook"
            else FiniteScalars(config.scalar_levels)
        )
        self.register_buffer("data_mean", torch.zeros(config.channels, config.height, config.width))
        self.register_buffer("data_deviation", torch.full((config.channels, 1, 1), 0.5))

    def vectors(
        self, image: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch rows columns width_of_vector"]:
        """Return what the encoder says of every place, float32, before it is quantised."""
        centred = ((image - self.data_mean) / self.data_deviation).to(self.compute_type)
        found: Tensor = self.narrow(self.encoder(centred)[-1])
        return found.float()

    def rebuilt(
        self, quantised: Float[Tensor, "batch rows columns width_of_vector"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the images of quantised vectors, float32, not clipped."""
        state = self.widen(quantised.to(self.compute_type))
        last = len(self.config.multipliers) - 1
        for level in reversed(range(last + 1)):
            if level < last:
                state = self.decoder.rise(level, state)
            state = self.decoder.refine(level, state)
        raw = self.decoder.finish(state, height=self.config.height, width=self.config.width)
        return self.data_mean + self.data_deviation * raw
