"""From the picture of a sound back to a sound: bands to frequencies, then the phases that fit them best.

The power of every frequency is the one of least change that gives the bands (multiplicative updates, Lee and Seung 2001, for a matrix
that is known), and the phases are found by Griffin and Lim (1984) in their fast form (Perraudin et al. 2013, algorithm 2), from phases
that a fixed seed draws: the same picture always sounds the same. Where samples are known, or guessed, theirs are the first phases.
"""

import functools

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from makar.data.spectrogram import OVERLAP, hann, mel_filters

ROUNDS = 32
MOMENTUM = 0.99
SPREADING_ROUNDS = 50
SILENT = 1e-4
"""Size of a frequency of a window below which its phase says nothing."""


@functools.lru_cache(maxsize=16)
def _filters(rate_hz: int, window: int, mels: int) -> Tensor:
    return torch.from_numpy(mel_filters(rate_hz, window=window, mels=mels).copy())


def frequencies_of_bands(
    power: Float[Tensor, "mels frames"],
    *,
    rate_hz: int,
    window: int,
    start: Float[Tensor, "frequencies frames"] | None = None,
) -> Float[Tensor, "frequencies frames"]:
    """Return powers of frequencies, none negative, of which the bands have these powers as nearly as can be.

    Args:
        power: Power of every band.
        rate_hz: Samples a second.
        window: Samples of a window.
        start: Powers that are changed as little as can be; ``None`` begins with the bands spread evenly.
    """
    filters = _filters(rate_hz, window, len(power))
    found = start
    if found is None:
        found = filters.T @ (power / filters.sum(1, keepdim=True).clamp_min(1e-9))
    weights, target = filters.T @ filters, filters.T @ power
    for _ in range(SPREADING_ROUNDS):
        found = found * target / (weights @ found).clamp_min(1e-12)
    return found


def sound_of_power(
    power: Float[Tensor, "frequencies frames"],
    *,
    hop: int,
    samples: int,
    known: Float[Tensor, " samples"] | None = None,
    is_new: Bool[Tensor, " samples"] | None = None,
    phases: Float[Tensor, "frequencies frames"] | None = None,
    rounds: int = ROUNDS,
) -> Float[Tensor, " samples"]:
    """Return a sound whose windows have these powers as nearly as can be.

    Args:
        power: Power of every frequency, 1 for a full-scale sine.
        hop: Samples from one window to the next.
        samples: How long the sound is.
        known: Samples that stay; the phases of the others are found to go on from them, beginning with those of what stands there.
        is_new: Where the samples are found.
        phases: Angles to begin with; ``None`` draws them.
        rounds: How often phases are found anew.
    """
    window = OVERLAP * hop
    shape = torch.from_numpy(hann(window).copy())
    size = power.clamp_min(0).sqrt() * (shape.sum() / 2)
    # One frame more closes the last window.
    size = torch.cat([size, size[:, -1:]], dim=1)
    if phases is None:
        angles = torch.rand(size.shape, generator=torch.Generator().manual_seed(0)) * (2 * torch.pi)
        if known is not None:
            begun = torch.stft(known, window, hop, window=shape, center=True, return_complex=True)
            angles = torch.where(begun.abs() > SILENT, begun.angle(), angles)
    else:
        angles = torch.cat([phases, phases[:, -1:]], dim=1)
    turns = torch.polar(torch.ones_like(size), angles)
    before = torch.zeros_like(turns)
    length = (size.shape[1] - 1) * hop
    samples = min(samples, length)

    def whole(spectrum: Tensor) -> Tensor:
        made = torch.istft(spectrum, window, hop, window=shape, center=True, length=length)
        if known is not None and is_new is not None:
            made[:samples] = torch.where(is_new, made[:samples], known)
        return made

    for _ in range(rounds):
        seen = torch.stft(whole(size * turns), window, hop, window=shape, center=True, return_complex=True)
        moved = seen + MOMENTUM * (seen - before)
        turns, before = moved / moved.abs().clamp_min(1e-8), seen
    return whole(size * turns)[:samples]


def sound_of_decibels(
    decibels: np.ndarray,
    *,
    rate_hz: int,
    hop: int,
    floor: float,
    known: np.ndarray | None = None,
    is_new: np.ndarray | None = None,
) -> np.ndarray:
    """Return the sound of a picture.

    Args:
        decibels: Loudness of bands, float32 ``[mels, frames]``.
        rate_hz: Samples a second.
        hop: Samples from one frame to the next.
        floor: What is as quiet as this is silent, in decibels.
        known: Samples that stay, and a guess of the others, float32 ``[frames * hop]``.
        is_new: Where they do not, bool ``[frames * hop]``.

    Returns:
        float32 ``[frames * hop]``.
    """
    power = 10.0 ** (torch.from_numpy(np.ascontiguousarray(decibels, np.float32)) / 10)
    power[torch.from_numpy(np.ascontiguousarray(decibels <= floor))] = 0.0
    with torch.inference_mode():
        spread = frequencies_of_bands(power, rate_hz=rate_hz, window=OVERLAP * hop)
        made = sound_of_power(
            spread,
            hop=hop,
            samples=decibels.shape[1] * hop,
            known=None if known is None else torch.from_numpy(np.array(known, np.float32)),
            is_new=None if is_new is None else torch.from_numpy(np.array(is_new, bool)),
        )
    result: np.ndarray = made.numpy()
    return result
