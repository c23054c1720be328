"""From rows of features at the rate of frames to samples: ConvNeXt blocks say size and phase of every frequency, one inverse transform.

Sources: Siuzdak 2023, Vocos, arXiv 2306.00814, sections 3.1 and 3.2; Liu et al. 2022, ConvNeXt, arXiv 2201.03545.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.families.waveform.vocoder_config import EXPANSION, OVERLAP, TAPS

LARGEST_LOG_SIZE = 7.0
"""Sizes are exponentials; above this a first wrong step would be an infinity."""


class Block(nn.Module):
    """A block: each channel over time alone, then all channels of each frame alone, added to what came in.

    Args:
        channels: Channels.
        blocks: How many there are; the more, the less each begins with.
    """

    def __init__(self, channels: int, *, blocks: int) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(channels, channels, TAPS, padding=TAPS // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wider = nn.Linear(channels, EXPANSION * channels)
        self.narrower = nn.Linear(EXPANSION * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1.0 / blocks))

    def forward(self, x: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch channels frames"]:
        """Return the changed features."""
        inner = self.norm(self.over_time(x).transpose(1, 2))
        inner = self.scale * self.narrower(F.gelu(self.wider(inner)))
        return x + inner.transpose(1, 2)


class SpectrumNetwork(nn.Module):
    """Makes samples of features.

    Args:
        inputs: Features of a frame.
        channels: Channels of the blocks.
        blocks: How many.
        hop: Samples of a frame.
    """

    window: Tensor

    def __init__(self, inputs: int, *, channels: int, blocks: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.enter = nn.Conv1d(inputs, channels, TAPS, padding=TAPS // 2)
        self.first_norm = nn.LayerNorm(channels)
        self.blocks = nn.ModuleList(Block(channels, blocks=blocks) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(channels)
        self.leave = nn.Linear(channels, OVERLAP * hop + 2)
        self.register_buffer("window", torch.hann_window(OVERLAP * hop), persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the first samples are quiet."""
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, nn.Conv1d | nn.Linear):
                    fan_in = part.weight[0].numel()
                    part.weight.normal_(0.0, 1.0 / math.sqrt(fan_in), generator=generator)
                    assert part.bias is not None
                    part.bias.zero_()
                elif isinstance(part, nn.LayerNorm):
                    part.weight.fill_(1.0)
                    part.bias.zero_()
            for block in self.blocks:
                assert isinstance(block, Block)
                block.scale.fill_(1.0 / len(self.blocks))
            self.leave.bias[: OVERLAP * self.hop // 2 + 1] = -1.0

    def spectrum(self, features: Float[Tensor, "batch inputs frames"]) -> tuple[Tensor, Tensor]:
        """Return logarithms of sizes, and phases, of every frequency ``[batch, frequencies, frames]``."""
        x = self.first_norm(self.enter(features).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        out = self.leave(self.last_norm(x.transpose(1, 2))).transpose(1, 2)
        sizes, phases = out.chunk(2, dim=1)
        return sizes.clamp(max=LARGEST_LOG_SIZE), phases

    def forward(self, features: Float[Tensor, "batch inputs frames"]) -> Float[Tensor, "batch samples"]:
        """Return ``frames * hop`` samples; a frame is centred on the first of its samples."""
        sizes, phases = self.spectrum(features)
        spectrum = torch.polar(sizes.exp(), phases)
        # One frame more closes the last window.
        spectrum = torch.cat([spectrum, spectrum[..., -1:]], dim=2)
        length = features.shape[2] * self.hop
        made: Tensor = torch.istft(
            spectrum, OVERLAP * self.hop, self.hop, window=self.window, center=True, length=length
        )
        return made
