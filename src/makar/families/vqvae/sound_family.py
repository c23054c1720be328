"""Sounds as tokens and back: an encoder along time, residual codebooks, a decoder, for models that write sounds token by token.

The loss is the squared error over the variance of the data, plus the commitment of the encoder to its codes (van den Oord et al. 2017,
arXiv 1711.00937, equation 3). Some examples must do with fewer codebooks, so the first says the most. What is seen are the pictures of
sounds (``makar.codecs.sound``), each moment at once; of a waveform as much would be hours of work (Dhariwal et al. 2020, arXiv 2005.00341).
It makes no new sounds by itself: tokens have to come from somewhere.
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
from makar.families.vqvae.options import VqvaeOptions
from makar.families.vqvae.sampler import VqvaeSampler
from makar.families.vqvae.sound_config import SoundVqvaeConfig
from makar.families.vqvae.sound_network import RebuiltSound, SoundTokens, SoundVqvaeNetwork
from makar.nn.initialisation import initialise_modules
from makar.nn.quantiser import perplexity
from makar.tensor_spec import TARGET

STATISTICS_BATCHES = 64
"""Batches looked at for the mean of the bands, the deviation and the first codes."""

SMALLEST_DEVIATION = 0.05
FIRST_CODES_SEED = 0

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class SoundVqvaeFamily(Family):
    """An autoencoder of sounds with residual codebooks.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[VqvaeOptions]] = VqvaeOptions
    edits: ClassVar[tuple[str, ...]] = SoundVqvaeConfig.edits
    creates: ClassVar[bool] = False

    def __init__(self, config: SoundVqvaeConfig) -> None:
        super().__init__()
        self.config: SoundVqvaeConfig = config
        self.precision = "float32"
        self.network = SoundVqvaeNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight, and the codes; the decoder then says the mean of every band whatever the tokens are."""
        initialise_modules(self.network, generator)

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

    def phases(self) -> list[Phase]:
        """One phase: squared error and commitment; the codes follow after each step."""
        return [
            Phase(
                name="reconstruction",
                groups=[ParameterGroup(parameters=list(self.parameters()))],
                loss=self._loss,
                after_step=self.network.quantiser.update,
            )
        ]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        picture, network, config = batch[TARGET], self.network, self.config
        self._compute()
        fewer = torch.rand(len(picture), generator=generator) < config.fewer_share
        some = torch.randint(1, config.codebooks + 1, (len(picture),), generator=generator)
        used = torch.where(fewer, some, config.codebooks).to(picture.device)
        quantised = network.quantiser(network.vectors(picture), used)
        network.quantiser.watch(quantised, generator)
        error = ((network.rebuilt(quantised.vectors) - picture) / network.data_deviation).square().mean()
        value = error + config.commitment * quantised.commitment
        return self._said(value, quantised.tokens, error=error, commitment=quantised.commitment)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the mean squared error of the pictures made of all tokens, of values from -1 to 1."""
        del generator
        picture, network = batch[TARGET], self.network
        self._compute()
        with torch.no_grad():
            everything = torch.full((len(picture),), self.config.codebooks, device=picture.device)
            quantised = network.quantiser(network.vectors(picture), everything)
            error = F.mse_loss(network.rebuilt(quantised.vectors).clamp(-1, 1), picture)
            return self._said(error, quantised.tokens, error=error, commitment=quantised.commitment)

    def _said(self, value: Tensor, tokens: Tensor, *, error: Tensor, commitment: Tensor) -> Loss:
        first, last = (perplexity(tokens[:, number], self.config.codes) for number in (0, -1))
        metrics = {
            "reconstruction": float(error.detach()),
            "commitment": float(commitment.detach()),
            "perplexity_first": first,
            "perplexity_last": last,
        }
        return Loss(value=value, count=len(tokens), unit="mse", metrics=metrics)

    def encode(self, images: Float[Tensor, "batch one rows frames"]) -> Int[Tensor, "batch codebooks positions"]:
        """Return the tokens of pictures, 0 to ``config.codes`` - 1, a row for every codebook.

        Args:
            images: -1 to 1.
        """
        self._compute()
        with torch.no_grad():
            return self.network.tokens(images)

    def decode(self, latents: Int[Tensor, "batch some_codebooks positions"]) -> Float[Tensor, "batch one rows frames"]:
        """Return the pictures of tokens, -1 to 1; the first few codebooks are enough, and any length."""
        self._compute()
        with torch.no_grad():
            return self.network.rebuilt(self.network.quantiser.lookup(latents)).clamp(-1, 1)

    def _compute(self) -> None:
        self.network.compute_type = _TYPES[self.precision]

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> VqvaeSampler:
        """Return a sampler that rebuilds sounds over the current weights."""
        del codec
        refuse_hook(hook)
        return VqvaeSampler(
            self.encode,
            self.decode,
            shape=(1, self.config.rows, self.config.frames),
            noun="sound",
            device=self.network.data_mean.device,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, codes, and the statistics of the data, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return ``encode``, a picture to its tokens, and ``decode``, tokens to a picture."""
        config = self.config
        network = SoundVqvaeNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        picture = {"picture": torch.zeros(2, 1, config.rows, config.frames)}
        tokens = {"tokens": torch.zeros(2, config.codebooks, config.positions, dtype=torch.int64)}
        return [
            OnnxPart(
                name="encode",
                module=SoundTokens(network),
                inputs=picture,
                outputs=("tokens",),
                dynamic={"picture": {0: "batch"}},
            ),
            OnnxPart(
                name="decode",
                module=RebuiltSound(network),
                inputs=tokens,
                outputs=("picture",),
                dynamic={"tokens": {0: "batch"}},
            ),
        ]
