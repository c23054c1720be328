"""Images as tokens and back: an encoder, a quantiser, a decoder, for models that predict tokens."""

from collections.abc import Iterable
from itertools import islice
from typing import ClassVar

import torch
import torch.nn.functional as F

from makar.families.family import Batch, Loss
from makar.families.vqvae.config import VqvaeConfig
from makar.families.vqvae.network import VqvaeNetwork
from makar.families.vqvae.token_autoencoder import (
    FIRST_CODES_SEED,
    SMALLEST_DEVIATION,
    STATISTICS_BATCHES,
    TokenAutoencoder,
)
from makar.nn.quantiser import Codebook, perplexity
from makar.tensor_spec import TARGET


class VqvaeFamily(TokenAutoencoder):
    """An autoencoder of images with discrete codes.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    input_name: ClassVar[str] = "image"
    config: VqvaeConfig
    network: VqvaeNetwork

    def __init__(self, config: VqvaeConfig) -> None:
        super().__init__(config, VqvaeNetwork(config))

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take the mean image and the deviation of each channel from a few batches, and put the codes onto their vectors."""
        total, squares, count, kept = torch.zeros(()), torch.zeros(()), 0, []
        for batch in islice(batches, STATISTICS_BATCHES):
            values = batch[TARGET].double()
            count += len(values)
            total, squares = total + values.sum(0), squares + values.square().sum(0)
            kept.append(batch[TARGET])
        if not count:
            return
        network, mean = self.network, total / count
        variance = (squares / count - mean.square()).clamp(min=0).mean((1, 2))
        network.data_mean.copy_(mean)
        network.data_deviation.copy_(variance.sqrt().clamp(min=SMALLEST_DEVIATION)[:, None, None])
        if isinstance(network.quantiser, Codebook):
            with torch.no_grad():
                vectors = torch.cat([network.vectors(images).flatten(0, 2) for images in kept])
            network.quantiser.start_from(vectors, torch.Generator().manual_seed(FIRST_CODES_SEED))

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        image, network = batch[TARGET], self.network
        self.compute()
        vectors = network.vectors(image)
        quantised, tokens, commitment = network.quantiser(vectors)
        if isinstance(network.quantiser, Codebook):
            network.quantiser.watch(vectors, tokens, generator)
        error = self.scaled_error(network.rebuilt(quantised), image)
        used = perplexity(tokens, self.config.vocabulary)
        value = error + self.config.commitment * commitment
        return self.told(value, count=len(image), error=error, commitment=commitment, perplexity=used)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the mean squared error of the images made of tokens, of values from -1 to 1."""
        del generator
        image, network = batch[TARGET], self.network
        self.compute()
        with torch.no_grad():
            quantised, tokens, commitment = network.quantiser(network.vectors(image))
            error = F.mse_loss(network.rebuilt(quantised).clamp(-1, 1), image)
        used = perplexity(tokens, self.config.vocabulary)
        return self.told(error, count=len(image), error=error, commitment=commitment, perplexity=used)
