"""Sounds as tokens and back: an encoder along time, residual codebooks, a decoder, for models that write sounds token by token.

Some examples must do with fewer codebooks, so the first says the most. What is seen are the pictures of sounds (``makar.codecs.sound``),
each moment at once; of a waveform as much would be hours of work (Dhariwal et al. 2020, arXiv 2005.00341).
"""

from collections.abc import Iterable
from itertools import islice
from typing import ClassVar

import torch
import torch.nn.functional as F

from makar.families.family import Batch, Loss
from makar.families.vqvae.sound_config import SoundVqvaeConfig
from makar.families.vqvae.sound_network import SoundVqvaeNetwork
from makar.families.vqvae.token_autoencoder import (
    FIRST_CODES_SEED,
    SMALLEST_DEVIATION,
    STATISTICS_BATCHES,
    TokenAutoencoder,
)
from makar.nn.quantiser import perplexity
from makar.nn.residual_quantiser import Quantised
from makar.tensor_spec import TARGET


class SoundVqvaeFamily(TokenAutoencoder):
    """An autoencoder of sounds with residual codebooks.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    input_name: ClassVar[str] = "picture"
    config: SoundVqvaeConfig
    network: SoundVqvaeNetwork

    def __init__(self, config: SoundVqvaeConfig) -> None:
        super().__init__(config, SoundVqvaeNetwork(config))

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take the mean of each band and the deviation from a few batches, and put the codes onto their vectors."""
        kept = [batch[TARGET] for batch in islice(batches, STATISTICS_BATCHES)]
        if not kept:
            return
        network, values = self.network, torch.cat(kept)[:, 0].double()
        mean = values.mean((0, 2))
        network.data_mean.copy_(mean)
        network.data_deviation.copy_(
            (values - mean[:, None]).square().mean().sqrt().clamp(min=SMALLEST_DEVIATION).float()
        )
        with torch.no_grad():
            vectors = torch.cat([network.vectors(pictures).flatten(0, 1) for pictures in kept])
        network.quantiser.start_from(vectors, torch.Generator().manual_seed(FIRST_CODES_SEED))

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        picture, network, config = batch[TARGET], self.network, self.config
        self.compute()
        fewer = torch.rand(len(picture), generator=generator) < config.fewer_share
        some = torch.randint(1, config.codebooks + 1, (len(picture),), generator=generator)
        used = torch.where(fewer, some, config.codebooks).to(picture.device)
        quantised = network.quantiser(network.vectors(picture), used)
        network.quantiser.watch(quantised, generator)
        error = self.scaled_error(network.rebuilt(quantised.vectors), picture)
        return self._said(error + config.commitment * quantised.commitment, quantised, error=error)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the mean squared error of the pictures made of all tokens, of values from -1 to 1."""
        del generator
        picture, network = batch[TARGET], self.network
        self.compute()
        with torch.no_grad():
            everything = torch.full((len(picture),), self.config.codebooks, device=picture.device)
            quantised = network.quantiser(network.vectors(picture), everything)
            error = F.mse_loss(network.rebuilt(quantised.vectors).clamp(-1, 1), picture)
        return self._said(error, quantised, error=error)

    def _said(self, value: torch.Tensor, quantised: Quantised, *, error: torch.Tensor) -> Loss:
        tokens = quantised.tokens
        first, last = (perplexity(tokens[:, number], self.config.codes) for number in (0, -1))
        return self.told(
            value,
            count=len(tokens),
            error=error,
            commitment=quantised.commitment,
            perplexity_first=first,
            perplexity_last=last,
        )
