"""Distances of sounds by their spectra at several resolutions, and judges that tell made spectra from real ones.

Sources: Yamamoto et al. 2020, Parallel WaveGAN, arXiv 1910.11480, equations 3 to 6 (distances at several resolutions); Jang et al. 2021,
UnivNet, arXiv 2106.07889 (judges of spectra); Kong et al. 2020, HiFi-GAN, arXiv 2010.05646 (squared errors, features alike).
"""

import functools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.data.spectrogram import mel_filters
from makar.families.waveform.vocoder_config import OVERLAP, RESOLUTIONS

SMALLEST = 1e-5
"""Of sizes before their logarithm: 100 dB below full scale."""


@functools.lru_cache(maxsize=32)
def _window(length: int, device: torch.device) -> Tensor:
    return torch.hann_window(length, device=device)


def sizes_of(samples: Float[Tensor, "batch samples"], *, window: int) -> Float[Tensor, "batch frequencies frames"]:
    """Return the size of every frequency, 1 for a full-scale sine, of windows that move by a quarter of their length."""
    shape = _window(window, samples.device)
    spectrum = torch.stft(samples, window, window // OVERLAP, window=shape, center=True, return_complex=True)
    # The root of a sum that is never 0: its slope stays finite in silence.
    power = spectrum.real.square() + spectrum.imag.square()
    return (power + SMALLEST**2).sqrt() * (2 / float(window / 2))


@functools.lru_cache(maxsize=8)
def _filters(rate_hz: int, window: int, bands: int, device: torch.device) -> Tensor:
    return torch.from_numpy(mel_filters(rate_hz, window=window, mels=bands).copy()).to(device)


def spectral_distance(
    made: Float[Tensor, "batch samples"], real: Float[Tensor, "batch samples"], *, hop: int, bands: int, rate_hz: int
) -> Float[Tensor, ""]:
    """Return how far made sounds are from real ones: over resolutions the mean of |log - log| and of the relative error, and mel bands.

    Args:
        made: Samples.
        real: Samples.
        hop: Samples of a frame; windows are of 1, 2 and 4 times as many, each with quarters of it as steps, and 8.
        bands: Of the mel scale.
        rate_hz: Samples a second.
    """
    total = torch.zeros((), device=made.device)
    for resolution in (*RESOLUTIONS, 8):
        window = resolution * hop
        if made.shape[1] <= window // 2:
            continue
        first, second = sizes_of(made, window=window), sizes_of(real, window=window)
        total = total + (first.clamp_min(SMALLEST).log() - second.clamp_min(SMALLEST).log()).abs().mean()
        total = total + (first - second).norm() / second.norm().clamp_min(1e-3)
        if resolution == OVERLAP:
            matrix = _filters(rate_hz, window, bands, made.device)
            heard = [(matrix @ sizes.square()).clamp_min(SMALLEST**2).log() for sizes in (first, second)]
            total = total + (heard[0] - heard[1]).abs().mean()
    return total


class Judge(nn.Module):
    """Looks at spectra of one resolution, place by place.

    Args:
        channels: Channels.
        window: Samples of a window.
    """

    def __init__(self, channels: int, *, window: int) -> None:
        super().__init__()
        self.window = window
        wide = {"kernel_size": (9, 3), "stride": (2, 1), "padding": (4, 1)}
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(1, channels, **wide),  # type: ignore[arg-type]
                nn.Conv2d(channels, channels, **wide),  # type: ignore[arg-type]
                nn.Conv2d(channels, channels, **wide),  # type: ignore[arg-type]
            ]
        )
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, samples: Float[Tensor, "batch samples"]) -> tuple[Tensor, list[Tensor]]:
        """Return answers, 1 for real and 0 for made, and what was seen on the way."""
        x = sizes_of(samples, window=self.window).clamp_min(SMALLEST).log()[:, None] / 5 + 1
        found = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            found.append(x)
        return self.last(x), found


class Judges(nn.Module):
    """The judges of all resolutions.

    Args:
        channels: Channels of each.
        hop: Samples of a frame.
    """

    def __init__(self, channels: int, *, hop: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(Judge(channels, window=resolution * hop) for resolution in RESOLUTIONS)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, nn.Conv2d):
                    part.weight.normal_(0.0, 1.0 / math.sqrt(part.weight[0].numel()), generator=generator)
                    assert part.bias is not None
                    part.bias.zero_()

    def judging_loss(self, made: Tensor, real: Tensor) -> Tensor:
        """Return what the judges lower: answers of 1 for real and of 0 for made."""
        total = torch.zeros((), device=made.device)
        for judge in self.each:
            total = total + (judge(real)[0] - 1).square().mean() + judge(made)[0].square().mean()
        return total

    def making_loss(self, made: Tensor, real: Tensor) -> Tensor:
        """Return what the maker lowers: answers below 1, and features unlike those of real sounds."""
        total = torch.zeros((), device=made.device)
        for judge in self.each:
            answers, seen = judge(made)
            with torch.no_grad():
                _, wanted = judge(real)
            total = total + (answers - 1).square().mean()
            total = total + 2 * torch.stack([(a - b).abs().mean() for a, b in zip(seen, wanted, strict=True)]).sum()
        return total
