"""The networks of VITS: posterior, prior, the flow between them, and the decoder to samples.

Source: Kim et al. 2021, arXiv 2106.06103, section 2; the flow is that of its section 2.4.2, couplings that only add (Dinh et al. 2014,
NICE, arXiv 1410.8516), so its volume does not change.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.families.waveform.spectrum_network import SpectrumNetwork
from makar.families.waveform.vits_config import COUPLING_LAYERS, POSTERIOR_LAYERS, PRIOR_LAYERS, TAPS, VitsConfig

LOG_RANGE = 4.0
"""Logarithms of deviations lie within this of 0."""


class GatedStack(nn.Module):
    """Gated convolutions over frames, forwards and backwards in time.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        channels: Channels within.
        layers: How many.
        scale: Of the first weights of the last layer; 0 begins with nothing.
    """

    def __init__(self, inputs: int, outputs: int, *, channels: int, layers: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.enter = nn.Conv1d(inputs, channels, 1)
        self.gates = nn.ModuleList(nn.Conv1d(channels, 2 * channels, TAPS, padding=TAPS // 2) for _ in range(layers))
        self.changes = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(layers))
        self.leave = nn.Conv1d(channels, outputs, 1)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, nn.Conv1d):
                    part.weight.normal_(0.0, 1.0 / math.sqrt(part.weight[0].numel()), generator=generator)
                    assert part.bias is not None
                    part.bias.zero_()
            self.leave.weight.mul_(self.scale)

    def forward(
        self, x: Float[Tensor, "batch inputs frames"], voice: Float[Tensor, "batch channels"] | None = None
    ) -> Float[Tensor, "batch outputs frames"]:
        """Return what is said of every frame.

        Args:
            x: Features.
            voice: Added to every frame.
        """
        x = self.enter(x)
        if voice is not None:
            x = x + voice[:, :, None]
        for gate, change in zip(self.gates, self.changes, strict=True):
            filtered, opening = gate(x).chunk(2, dim=1)
            x = x + change(torch.tanh(filtered) * torch.sigmoid(opening))
        out: Tensor = self.leave(F.gelu(x))
        return out


class VitsNetwork(nn.Module):
    """All of it but the judges.

    Args:
        config: The sizes.
    """

    def __init__(self, config: VitsConfig) -> None:
        super().__init__()
        self.config = config
        width, latents, half = config.channels, config.latent_channels, config.latent_channels // 2
        self.posterior = GatedStack(config.bands, 2 * latents, channels=width, layers=POSTERIOR_LAYERS, scale=0.5)
        self.prior = GatedStack(config.planes, 2 * latents, channels=width, layers=PRIOR_LAYERS, scale=0.5)
        self.couplings = nn.ModuleList(
            GatedStack(half, half, channels=width, layers=COUPLING_LAYERS, scale=0.0) for _ in range(config.couplings)
        )
        self.decoder = SpectrumNetwork(latents, channels=width, blocks=config.blocks, hop=config.hop)
        self.of_posterior = nn.Embedding(config.classes, width) if config.classes else None
        self.of_prior = nn.Embedding(config.classes, width) if config.classes else None
        self.of_decoder = nn.Embedding(config.classes, latents) if config.classes else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the flow begins by changing nothing but the order."""
        for part in (self.posterior, self.prior, *self.couplings, self.decoder):
            assert isinstance(part, GatedStack | SpectrumNetwork)
            part.initialise(generator)
        for table in (self.of_posterior, self.of_prior, self.of_decoder):
            if table is not None:
                with torch.no_grad():
                    table.weight.normal_(0.0, 0.3, generator=generator)

    def seen(
        self, picture: Float[Tensor, "batch bands frames"], classes: Tensor | None
    ) -> tuple[Float[Tensor, "batch latents frames"], Float[Tensor, "batch latents frames"]]:
        """Return mean and logarithm of the deviation of the latents of a recording."""
        return _gaussian(self.posterior(picture, _row(self.of_posterior, classes)))

    def expected(
        self, planes: Float[Tensor, "batch planes frames"], classes: Tensor | None
    ) -> tuple[Float[Tensor, "batch latents frames"], Float[Tensor, "batch latents frames"]]:
        """Return mean and logarithm of the deviation of what the flow makes of latents, from what is spoken."""
        return _gaussian(self.prior(planes, _row(self.of_prior, classes)))

    def to_prior(self, latents: Float[Tensor, "batch latents frames"]) -> Float[Tensor, "batch latents frames"]:
        """Return latents on the side of the prior."""
        for coupling in self.couplings:
            first, second = latents.chunk(2, dim=1)
            latents = torch.cat([second + coupling(first), first], dim=1)
        return latents

    def from_prior(self, latents: Float[Tensor, "batch latents frames"]) -> Float[Tensor, "batch latents frames"]:
        """Return latents on the side of the recording: the inverse of ``to_prior``."""
        for coupling in reversed(self.couplings):
            moved, first = latents.chunk(2, dim=1)
            latents = torch.cat([first, moved - coupling(first)], dim=1)
        return latents

    def decode(self, latents: Float[Tensor, "batch latents frames"], classes: Tensor | None) -> Tensor:
        """Return samples ``[batch, frames * hop]`` of latents."""
        voice = _row(self.of_decoder, classes)
        made: Tensor = self.decoder(latents if voice is None else latents + voice[:, :, None])
        return made


def _row(table: nn.Embedding | None, classes: Tensor | None) -> Tensor | None:
    return None if table is None or classes is None else table(classes)


def _gaussian(values: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_deviation = values.chunk(2, dim=1)
    return mean, LOG_RANGE * torch.tanh(log_deviation / LOG_RANGE)
