"""Between a sound and its picture as the settings of a codec say: rate, hop, bands, frames and the loudness of white."""

from collections.abc import Callable

import numpy as np

from makar.codecs.alpha import model_values, pixels_of
from makar.codecs.griffin_lim import sound_of_decibels
from makar.codecs.hearing_config import HearingConfig
from makar.data.sound import Sound, resampled
from makar.data.spectrogram import RANGE_DB, decibels_of, mel_decibels, picture_of
from makar.data.wave_file import on_grid

Player = Callable[[np.ndarray, HearingConfig], Sound]
"""Finds how a picture uint8 ``[mels, frames]`` sounds."""

SILENT = 26
"""Steps of 256 below which a frame counts as silence: 72 dB below the loudest."""

LEAST_FRAMES = 4


def loudness(sound: Sound, config: HearingConfig) -> np.ndarray:
    """Return the loudness of every band, in decibels, of as much of a sound as a picture shows, float32 ``[mels, frames]``."""
    kept = fitting(sound, config)
    return mel_decibels(kept, rate_hz=config.rate_hz, hop=config.hop, mels=config.mels)[:, : config.frames]


def fitting(sound: Sound, config: HearingConfig) -> np.ndarray:
    """Return as much of a sound as a picture shows, at its rate and in one channel, float32 ``[samples]``."""
    kept = sound.samples[: max(1, -(-config.frames * config.hop * sound.rate_hz // config.rate_hz))]
    return resampled(Sound(kept, sound.rate_hz), config.rate_hz).mono()


def drawn_picture(sound: Sound, config: HearingConfig) -> np.ndarray:
    """Return the picture of a sound, uint8 ``[mels, frames, 1]``; behind its end it is silent."""
    drawn = picture_of(loudness(sound, config), loudest=config.loudest_db)
    after = config.frames - drawn.shape[1]
    return np.ascontiguousarray(np.pad(drawn, ((0, 0), (0, after)))[:, :, None])


def played_picture(
    drawn: np.ndarray, config: HearingConfig, *, known: np.ndarray | None = None, is_new: np.ndarray | None = None
) -> Sound:
    """Return how a picture sounds, however long it is, on the grid of 16 bits.

    Args:
        drawn: uint8 ``[mels, frames]``.
        config: Settings of the codec that it is of.
        known: Samples that stay, float32 ``[frames * hop]``, at the rate of the codec.
        is_new: Where they do not, bool ``[frames * hop]``.
    """
    made = sound_of_decibels(
        decibels_of(drawn, loudest=config.loudest_db),
        rate_hz=config.rate_hz,
        hop=config.hop,
        floor=config.loudest_db - RANGE_DB,
        known=known,
        is_new=is_new,
    )
    # Clipping would crack: what comes out too loud as a whole is made quieter as a whole.
    made = made / max(1.0, float(np.abs(made).max()))
    return Sound(on_grid(made)[:, None], config.rate_hz)


def heard_frames(drawn: np.ndarray) -> int:
    """Return the frames of a picture uint8 ``[mels, frames]`` up to the last that is no silence."""
    sounding = np.flatnonzero(drawn.max(axis=0) > SILENT)
    return max(LEAST_FRAMES, int(sounding[-1]) + 1 if len(sounding) else 0)


def band_channels(stored: np.ndarray) -> np.ndarray:
    """Return stored pictures uint8 ``[..., 1, mels, frames]`` with bands as channels of one row, ``[..., mels, 1, frames]`` in -1..1."""
    return model_values(stored).swapaxes(-3, -2)


def channels_sound(values: np.ndarray, config: HearingConfig) -> Sound:
    """Return the sound of a picture whose bands are channels, ``[mels, 1, frames]`` in -1..1, without the silence that follows it."""
    drawn = pixels_of(np.ascontiguousarray(values.swapaxes(-3, -2)))[:, :, 0]
    return played_picture(drawn[:, : heard_frames(drawn)], config)
