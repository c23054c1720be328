"""The networks of the autoencoder of sounds: encoder along time, residual codebooks, decoder."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.vqvae.sound_config import SoundVqvaeConfig
from makar.nn.convolution import Pointwise
from makar.nn.frame_autoencoder import FrameDecoder, FrameEncoder
from makar.nn.residual_quantiser import ResidualCodebooks

SILENCE = -1.0
"""What stands behind the end of a picture whose frames the strides do not divide."""


class SoundVqvaeNetwork(nn.Module):
    """Encoder, codebooks and decoder.

    Args:
        config: Sizes, with rows and frames known.
    """

    data_mean: Tensor
    data_deviation: Tensor

    def __init__(self, config: SoundVqvaeConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_type = torch.float32
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

    def tokens(self, picture: Float[Tensor, "batch one rows frames"]) -> Int[Tensor, "batch codebooks positions"]:
        """Return the tokens of pictures."""
        return self.quantiser.tokens(self.vectors(picture))

    def rebuilt(self, quantised: Float[Tensor, "batch positions width"]) -> Float[Tensor, "batch one rows frames"]:
        """Return the pictures of quantised vectors, float32, not clipped; as long as they are, at most by part of a stride shorter."""
        raw = self.decoder(self.widen(quantised.to(self.compute_type))).float()
        frames = self.data_mean + self.data_deviation * raw
        # The last of a training piece stand for less than a whole stride.
        length = self.config.frames if quantised.shape[1] == self.config.positions else frames.shape[1]
        return frames[:, :length].transpose(1, 2)[:, None]


class SoundTokens(nn.Module):
    """For export: a picture to its tokens.

    Args:
        network: The network.
    """

    def __init__(self, network: SoundVqvaeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Float[Tensor, "batch one rows frames"]) -> Int[Tensor, "batch codebooks positions"]:
        return self.network.tokens(picture)


class RebuiltSound(nn.Module):
    """For export: tokens to a picture, -1 to 1.

    Args:
        network: The network.
    """

    def __init__(self, network: SoundVqvaeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Int[Tensor, "batch codebooks positions"]) -> Float[Tensor, "batch one rows frames"]:
        return self.network.rebuilt(self.network.quantiser.lookup(tokens)).clamp(-1, 1)
