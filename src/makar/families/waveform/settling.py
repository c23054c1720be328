"""Brings what a vocoder made nearer to the picture that it was made of: sizes between both, fitted to the bands, phases settled.

The picture says how loud every band is, and the network's sound where within a band and with which phases. Sizes are the weighted
geometric mean of those of the network's sound and of the evenly spread bands, changed as little as can be until the bands are those of the
picture; phases go on from the network's by the algorithm of Griffin and Lim. Measured after 24 s of training (one core, four sentences):
log-spectral distance, difference of loudness and distance of spectra of the network alone 6.4 dB, 1.7 dB, 4.5; of Griffin and Lim
5.18, 0.87, 3.63; settled with a share of 1/4 5.18, 0.83, 3.41, with 1/2 5.34, 0.78, 3.39; the network's sizes alone, fitted to
the bands, 6.1, 0.80, 3.54.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from makar.codecs.griffin_lim import frequencies_of_bands, sound_of_power
from makar.data.spectrogram import OVERLAP, RANGE_DB

SHARE = 1 / 3
"""Weight of the network's sizes."""

LEAST_POWER = 1e-12


def settled(
    made: Float[Tensor, " samples"],
    picture: Float[Tensor, "bands frames"],
    *,
    rate_hz: int,
    hop: int,
    loudest_db: float,
    rounds: int,
) -> Float[Tensor, " samples"]:
    """Return a sound whose bands are those of a picture, with phases that go on from those of another.

    Args:
        made: What the network made of the picture.
        picture: -1..1, the highest band first.
        rate_hz: Samples a second.
        hop: Samples of a frame.
        loudest_db: Loudness of white.
        rounds: In which phases are found anew.
    """
    window, frames = OVERLAP * hop, picture.shape[1]
    shape = torch.hann_window(window)
    spectrum = torch.stft(F.pad(made, (0, hop)), window, hop, window=shape, center=True, return_complex=True)
    own = (spectrum[:, :frames].abs() / (shape.sum() / 2)).square()
    power = 10.0 ** ((loudest_db - RANGE_DB + RANGE_DB / 2 * (picture.flip(0) + 1)) / 10)
    power = torch.where(picture.flip(0) <= -1, 0.0, power)
    spread = frequencies_of_bands(power, rate_hz=rate_hz, window=window)
    logs = SHARE * own.clamp_min(LEAST_POWER).log() + (1 - SHARE) * spread.clamp_min(LEAST_POWER).log()
    fitted = frequencies_of_bands(power, rate_hz=rate_hz, window=window, start=logs.exp())
    return sound_of_power(fitted, hop=hop, samples=frames * hop, phases=spectrum[:, :frames].angle(), rounds=rounds)
