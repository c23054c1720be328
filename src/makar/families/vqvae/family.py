"""Images as tokens and back: an encoder, a quantiser, a decoder, for models that predict tokens.

The loss is the squared error over the variance of the data, plus the commitment of the encoder to its codes (van den
Oord et al. 2017, arXiv 1711.00937, equation 3; their codebook term is the running mean of ``makar.nn.quantiser``).
The validation loss is the squared error alone. It makes no new images by itself: tokens have to come from somewhere.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.vqvae.config import VqvaeConfig
from makar.families.vqvae.network import Rebuilt, Tokens, VqvaeNetwork
from makar.families.vqvae.options import VqvaeOptions
from makar.families.vqvae.sampler import VqvaeSampler
from makar.nn.initialisation import initialise_modules
from makar.nn.quantiser import Codebook, perplexity
from makar.tensor_spec import TARGET

STATISTICS_BATCHES = 64
"""Batches looked at for the mean image, the deviation of the channels and the first codes."""

SMALLEST_DEVIATION = 0.05
FIRST_CODES_SEED = 0

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class VqvaeFamily(Family):
    """An autoencoder of images with discrete codes.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[VqvaeOptions]] = VqvaeOptions
    edits: ClassVar[tuple[str, ...]] = VqvaeConfig.edits
    creates: ClassVar[bool] = False

    def __init__(self, config: VqvaeConfig) -> None:
        super().__init__()
        self.config: VqvaeConfig = config
        self.precision = "float32"
        self.network = VqvaeNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight, and the codes; the decoder then says the mean image whatever the tokens are."""
        initialise_modules(self.network, generator)

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

    def phases(self) -> list[Phase]:
        """One phase: squared error and commitment; the codes follow after each step."""
        quantiser = self.network.quantiser
        return [
            Phase(
                name="reconstruction",
                groups=[ParameterGroup(parameters=list(self.parameters()))],
                loss=self._loss,
                after_step=quantiser.update if isinstance(quantiser, Codebook) else None,
            )
        ]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        image, network = batch[TARGET], self.network
        self._compute()
        vectors = network.vectors(image)
        quantised, tokens, commitment = network.quantiser(vectors)
        if isinstance(network.quantiser, Codebook):
            network.quantiser.watch(vectors, tokens, generator)
        error = ((network.rebuilt(quantised) - image) / network.data_deviation).square().mean()
        return self._said(error + self.config.commitment * commitment, tokens, error=error, commitment=commitment)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the mean squared error of the images made of tokens, of values from -1 to 1."""
        del generator
        image, network = batch[TARGET], self.network
        self._compute()
        with torch.no_grad():
            quantised, tokens, commitment = network.quantiser(network.vectors(image))
            error = F.mse_loss(network.rebuilt(quantised).clamp(-1, 1), image)
            return self._said(error, tokens, error=error, commitment=commitment)

    def _said(self, value: Tensor, tokens: Tensor, *, error: Tensor, commitment: Tensor) -> Loss:
        metrics = {
            "reconstruction": float(error.detach()),
            "commitment": float(commitment.detach()),
            "perplexity": perplexity(tokens, self.config.vocabulary),
        }
        return Loss(value=value, count=len(tokens), unit="mse", metrics=metrics)

    def encode(self, images: Float[Tensor, "batch channels height width"]) -> Int[Tensor, "batch rows columns"]:
        """Return the tokens of images, 0 to ``config.vocabulary`` - 1, as grids of ``config.token_shape``.

        Args:
            images: -1 to 1.
        """
        self._compute()
        with torch.no_grad():
            return self.network.tokens(images)

    def decode(self, latents: Int[Tensor, "batch rows columns"]) -> Float[Tensor, "batch channels height width"]:
        """Return the images of tokens, -1 to 1."""
        self._compute()
        with torch.no_grad():
            return self.network.rebuilt(self.network.quantiser.lookup(latents)).clamp(-1, 1)

    def _compute(self) -> None:
        self.network.compute_type = _TYPES[self.precision]

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> VqvaeSampler:
        """Return a sampler that rebuilds images over the current weights."""
        del codec
        refuse_hook(hook)
        config = self.config
        return VqvaeSampler(
            self.encode,
            self.decode,
            shape=(config.channels, config.height, config.width),
            noun="image",
            device=self.network.data_mean.device,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, codes, and the statistics of the data, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return ``encode``, an image to its tokens, and ``decode``, tokens to an image."""
        config = self.config
        network = VqvaeNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        image = {"image": torch.zeros(2, config.channels, config.height, config.width)}
        tokens = {"tokens": torch.zeros(2, *config.token_shape, dtype=torch.int64)}
        return [
            OnnxPart(
                name="encode",
                module=Tokens(network),
                inputs=image,
                outputs=("tokens",),
                dynamic={"image": {0: "batch"}},
            ),
            OnnxPart(
                name="decode",
                module=Rebuilt(network),
                inputs=tokens,
                outputs=("image",),
                dynamic={"tokens": {0: "batch"}},
            ),
        ]
