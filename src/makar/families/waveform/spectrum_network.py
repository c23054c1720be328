"""From rows of features at the rate of frames to samples: ConvNeXt blocks say size and phase of every frequency, one inverse transform.

Of a picture the sizes begin with what its bands say, and the network learns the rest.

Sources: Siuzdak 2023, Vocos, arXiv 2306.00814, sections 3.1 and 3.2; Liu et al. 2022, ConvNeXt, arXiv 2201.03545.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.data.spectrogram import RANGE_DB, mel_filters
from makar.families.waveform.vocoder_config import EXPANSION, OVERLAP, TAPS

LARGEST_LOG_SIZE = 7.0
"""Sizes are exponentials; above this a first wrong step would be an infinity."""


NEPERS_OF_HALF = RANGE_DB / 2 * math.log(10) / 20
"""Half of what a picture spans, from its middle to white, as the natural logarithm of a size."""


def _spread(rate_hz: int, *, window: int, bands: int) -> Tensor:
    """Return how the loudness of every frequency is made of that of the bands that hear it, rows of which each sums to 1."""
    filters = torch.from_numpy(mel_filters(rate_hz, window=window, mels=bands).copy()).T
    heard = filters.sum(1) > 0
    first, last = int(heard.nonzero()[0]), int(heard.nonzero()[-1])
    # What no band hears is as loud as the nearest frequency that one does; rows of a picture begin with the highest.
    filters[:first], filters[last + 1 :] = filters[first], filters[last]
    return (filters / filters.sum(1, keepdim=True).clamp_min(1e-9)).flip(1)


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
        rate_hz: Samples a second, where the features are a picture, whose bands say how large frequencies are; ``None`` for others.
    """

    window: Tensor
    spread: Tensor | None

    def __init__(self, inputs: int, *, channels: int, blocks: int, hop: int, rate_hz: int | None = None) -> None:
        super().__init__()
        self.hop = hop
        self.enter = nn.Conv1d(inputs, channels, TAPS, padding=TAPS // 2)
        self.first_norm = nn.LayerNorm(channels)
        self.blocks = nn.ModuleList(Block(channels, blocks=blocks) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(channels)
        self.leave = nn.Linear(channels, OVERLAP * hop + 2)
        self.register_buffer("window", torch.hann_window(OVERLAP * hop), persistent=False)
        spread = None if rate_hz is None else _spread(rate_hz, window=OVERLAP * hop, bands=inputs)
        self.register_buffer("spread", spread, persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the first samples are quiet, or as loud as a picture says."""
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
            frequencies = OVERLAP * self.hop // 2 + 1
            quiet = -1.0
            if self.spread is not None:
                # The size of a full-scale sine, and the middle of the picture 40 dB below it.
                quiet = math.log(OVERLAP * self.hop / 4) - NEPERS_OF_HALF
                self.leave.weight[:frequencies].mul_(0.1)
            self.leave.bias[:frequencies] = quiet

    def spectrum(self, features: Float[Tensor, "batch inputs frames"]) -> tuple[Tensor, Tensor]:
        """Return logarithms of sizes, and phases, of every frequency ``[batch, frequencies, frames]``."""
        x = self.first_norm(self.enter(features).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        out = self.leave(self.last_norm(x.transpose(1, 2))).transpose(1, 2)
        sizes, phases = out.chunk(2, dim=1)
        if self.spread is not None:
            sizes = sizes + NEPERS_OF_HALF * (self.spread @ features)
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
