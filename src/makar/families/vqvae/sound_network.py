"""The networks of the autoencoder of sounds: encoder along time, residual codebooks, decoder."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from makar.families.vqvae.sound_config import SoundVqvaeConfig
from makar.families.vqvae.token_autoencoder import TokenNetwork
from makar.nn.convolution import Pointwise
from makar.nn.frame_autoencoder import FrameDecoder, FrameEncoder
from makar.nn.residual_quantiser import ResidualCodebooks

SILENCE = -1.0
"""What stands behind the end of a picture whose frames the strides do not divide."""


class SoundVqvaeNetwork(TokenNetwork):
    """Encoder, codebooks and decoder.

    Args:
        config: Sizes, with rows and frames known.
    """

    quantiser: ResidualCodebooks

    def __init__(self, config: SoundVqvaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = FrameEncoder(
            channels=config.rows, width=config.features, strides=config.strides, blocks=config.blocks
        )
        self.decoder = FrameDecoder(
            channels=config.rows, width=config.features, strides=config.strides, blocks=config.blocks
        )
        self.narrow = Pointwise(config.features, config.code_width)
        self.widen = Pointwise(config.code_width, config.features)
        self.quantiser = ResidualCodebooks(
            config.codebooks, config.codes, config.code_width, decay=config.decay, restart_share=config.restart_share
        )
        # One mean a band and none a moment: sounds begin anywhere.
        self.register_buffer("data_mean", torch.zeros(config.rows))
        self.register_buffer("data_deviation", torch.full((), 0.5))

    def vectors(self, picture: Float[Tensor, "batch one rows frames"]) -> Float[Tensor, "batch positions width"]:
        """Return what the encoder says of every moment, float32, before it is quantised."""
        frames = F.pad(picture[:, 0], (0, -picture.shape[-1] % self.config.stride), value=SILENCE).transpose(1, 2)
        centred = ((frames - self.data_mean) / self.data_deviation).to(self.compute_type)
        found: Tensor = self.narrow(self.encoder(centred))
        return found.float()

    def rebuilt(self, quantised: Float[Tensor, "batch positions width"]) -> Float[Tensor, "batch one rows frames"]:
        """Return the pictures of quantised vectors, float32, not clipped; as long as they are, at most by part of a stride shorter."""
        raw = self.decoder(self.widen(quantised.to(self.compute_type))).float()
        frames = self.data_mean + self.data_deviation * raw
        # The last of a training piece stand for less than a whole stride.
        length = self.config.frames if quantised.shape[1] == self.config.positions else frames.shape[1]
        return frames[:, :length].transpose(1, 2)[:, None]
