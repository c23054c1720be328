"""What autoencoders of tokens have in common, whatever they read: an encoder, a quantiser, a decoder, and how they learn.

The loss is the squared error over the variance of the data, plus the commitment of the encoder to its codes (van den Oord et al. 2017,
arXiv 1711.00937, equation 3; their codebook term is the running mean of ``makar.nn.quantiser``). The validation loss is the squared error
alone. They make nothing new by themselves: tokens have to come from somewhere.
"""

import abc
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.vqvae.options import VqvaeOptions
from makar.families.vqvae.sampler import VqvaeSampler
from makar.families.vqvae.token_config import TokenAutoencoderConfig
from makar.nn.initialisation import initialise_modules
from makar.nn.quantiser import Codebook, FiniteScalars
from makar.nn.residual_quantiser import ResidualCodebooks
from makar.tensor_spec import TARGET

STATISTICS_BATCHES = 64
"""Batches looked at for the statistics of the data and the first codes."""

SMALLEST_DEVIATION = 0.05
FIRST_CODES_SEED = 0

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TokenNetwork(nn.Module, abc.ABC):
    """Encoder, quantiser and decoder."""

    data_mean: Tensor
    data_deviation: Tensor
    quantiser: Codebook | FiniteScalars | ResidualCodebooks
    compute_type: torch.dtype = torch.float32

    @abc.abstractmethod
    def vectors(self, target: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch *places vector"]:
        """Return what the encoder says of every place, float32, before it is quantised."""

    @abc.abstractmethod
    def rebuilt(self, quantised: Float[Tensor, "batch *places vector"]) -> Float[Tensor, "batch channels height width"]:
        """Return what the decoder makes of quantised vectors, float32, not clipped."""

    def tokens(self, target: Float[Tensor, "batch channels height width"]) -> Int[Tensor, "batch first second"]:
        """Return the tokens of what is read."""
        return self.quantiser.tokens(self.vectors(target))

    def read(self, tokens: Int[Tensor, "batch first second"]) -> Float[Tensor, "batch channels height width"]:
        """Return what tokens stand for, -1 to 1."""
        return self.rebuilt(self.quantiser.lookup(tokens)).clamp(-1, 1)


class TokenAutoencoder(Family):
    """An autoencoder with discrete codes.

    Args:
        config: Sizes, bound to what the codec makes.
        network: Its network.
    """

    options: ClassVar[type[VqvaeOptions]] = VqvaeOptions
    edits: ClassVar[tuple[str, ...]] = TokenAutoencoderConfig.edits
    creates: ClassVar[bool] = False
    input_name: ClassVar[str]
    """What the exported networks call what is read."""

    config: TokenAutoencoderConfig

    def __init__(self, config: TokenAutoencoderConfig, network: TokenNetwork) -> None:
        super().__init__()
        self.config = config
        self.precision = "float32"
        self.network: Any = network

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight, and the codes; the decoder then says the mean of the data whatever the tokens are."""
        initialise_modules(self.network, generator)

    def phases(self) -> list[Phase]:
        """One phase: squared error and commitment; codes that are learned follow after each step."""
        quantiser = self.network.quantiser
        return [
            Phase(
                name="reconstruction",
                groups=[ParameterGroup(parameters=list(self.parameters()))],
                loss=self._loss,
                after_step=None if isinstance(quantiser, FiniteScalars) else quantiser.update,
            )
        ]

    @abc.abstractmethod
    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return what is learned from."""

    def told(self, value: Tensor, *, count: int, error: Tensor, commitment: Tensor, **used: float) -> Loss:
        """Return a loss with what it is made of and how many codes are in use."""
        parts = {"reconstruction": float(error.detach()), "commitment": float(commitment.detach())}
        return Loss(value=value, count=count, unit="mse", metrics=parts | used)

    def scaled_error(self, rebuilt: Tensor, target: Tensor) -> Float[Tensor, ""]:
        """Return the squared error over the variance of the data."""
        return ((rebuilt - target) / self.network.data_deviation).square().mean()

    def encode(self, images: Float[Tensor, "batch channels height width"]) -> Int[Tensor, "batch first second"]:
        """Return the tokens of images or of pictures of sounds; the family's configuration says in what shape.

        Args:
            images: -1 to 1.
        """
        self.compute()
        with torch.no_grad():
            return self.network.tokens(images)

    def decode(self, latents: Int[Tensor, "batch first second"]) -> Float[Tensor, "batch channels height width"]:
        """Return what tokens stand for, -1 to 1."""
        self.compute()
        with torch.no_grad():
            return self.network.read(latents)

    def compute(self) -> None:
        """Let the network compute in the number format that was asked for."""
        self.network.compute_type = _TYPES[self.precision]

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> VqvaeSampler:
        """Return a sampler that rebuilds what it is given over the current weights."""
        del codec
        refuse_hook(hook)
        return VqvaeSampler(
            self.encode,
            self.decode,
            shape=self._read_shape,
            noun=self.config.item_name,
            device=self.network.data_mean.device,
        )

    @property
    def _read_shape(self) -> tuple[int, int, int]:
        channels, height, width = (int(size or 0) for size in self.config.accepts()[TARGET].sizes)
        return channels, height, width

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, codes, and the statistics of the data, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return ``encode``, what is read to its tokens, and ``decode``, tokens to what they stand for."""
        network = type(self.network)(self.config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        name, places = self.input_name, self.config.latents().sizes
        return [
            OnnxPart(
                name="encode",
                module=_Tokens(network),
                inputs={name: torch.zeros(2, *self._read_shape)},
                outputs=("tokens",),
                dynamic={name: {0: "batch"}},
            ),
            OnnxPart(
                name="decode",
                module=_Rebuilt(network),
                inputs={"tokens": torch.zeros(2, *(int(size or 0) for size in places), dtype=torch.int64)},
                outputs=(name,),
                dynamic={"tokens": {0: "batch"}},
            ),
        ]


class _Tokens(nn.Module):
    """For export: what is read to its tokens."""

    def __init__(self, network: TokenNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, target: Tensor) -> Tensor:
        return self.network.tokens(target)


class _Rebuilt(nn.Module):
    """For export: tokens to what they stand for, -1 to 1."""

    def __init__(self, network: TokenNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        return self.network.read(tokens)
