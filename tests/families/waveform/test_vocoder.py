"""The vocoder: one picture has one sound of its length, it learns, and judges learn beside it."""

import numpy as np
import pytest
import torch

from makar.codecs.hearing import drawn_picture
from makar.codecs.wave_config import NUMBERS, WaveCodecConfig
from makar.data.sound import Sound
from makar.errors import ConfigError, UnsupportedError
from makar.families.waveform.spectral_losses import spectral_distance
from makar.families.waveform.vocoder_config import VocoderConfig
from makar.families.waveform.vocoder_family import VocoderFamily

TINY = VocoderConfig(bands=16, frames=16, hop=32, window=12, channels=16, blocks=2, rate_hz=8000)


class Codec:
    """What the sampler needs of a codec."""

    config = WaveCodecConfig(rate_hz=8000, hop=32, mels=16, coding=NUMBERS, use_pictures=True, loudest_db=-10.0)


def built(config=TINY):
    family = VocoderFamily(config)
    family.initialise(torch.Generator().manual_seed(0))
    return family


def batch():
    times = torch.arange(TINY.samples) / 8000
    tones = torch.stack([0.3 * torch.sin(2 * torch.pi * pitch * times) for pitch in (500, 1000)])
    picture = torch.full((2, 16, 16), -1.0)
    picture[0, 4], picture[1, 8] = 0.8, 0.8
    return {"target": tones, "source": picture}


def test_a_picture_of_any_length_sounds_as_long_as_it_is():
    sampler = built().sampler(Codec())
    for frames in (4, 16, 40):
        ((_, made, is_finished),) = sampler.sample(built().options(), [{"source": torch.zeros(16, frames)}], [0])
        assert made["target"].shape == (frames * TINY.hop,) and is_finished
    for prompt in ({}, {"source": torch.zeros(3, 16)}, {"mask": torch.zeros(1)}):
        with pytest.raises(UnsupportedError):
            list(sampler.sample(built().options(), [prompt], [0]))


def test_the_distance_is_nothing_for_the_same_and_grows_with_noise():
    real = batch()["target"]
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    far = [
        float(spectral_distance(real + size * noise, real, hop=32, bands=16, rate_hz=8000)) for size in (0.0, 0.01, 0.1)
    ]
    assert far[0] == 0 and far[0] < far[1] < far[2]


@pytest.mark.parametrize("judge_channels", [0, 2])
def test_it_learns_how_two_pictures_sound(judge_channels):
    family = built(TINY.changed(judge_channels=judge_channels))
    phases = family.phases()
    assert [phase.name for phase in phases] == ["vocoder", *(["judges"] if judge_channels else [])]
    optimisers = [torch.optim.Adam(phase.groups[0].parameters, 3e-3) for phase in phases]
    generator = torch.Generator().manual_seed(0)
    first = float(family.validation_loss(batch(), generator).value)
    for _ in range(15):
        shared = family.prepare(batch(), generator)
        for phase, optimiser in zip(phases, optimisers, strict=True):
            family.zero_grad()
            phase.loss(shared, generator).value.backward()
            optimiser.step()
    assert float(family.validation_loss(batch(), generator).value) < 0.85 * first


def test_what_is_settled_has_the_bands_of_the_picture():
    """Even what a network made that learned nothing, whose bands are otherwise."""
    times = np.arange(2048) / 8000
    wave = (0.3 * np.sin(2 * np.pi * 700 * times) + 0.1 * np.sin(2 * np.pi * 2100 * times)).astype(np.float32)
    config = Codec.config.changed(frames=64)
    drawn = drawn_picture(Sound(wave[:, None], 8000), config)[:, :, 0]
    picture = torch.from_numpy((drawn / 127.5 - 1).astype(np.float32))
    family = built()
    away = {}
    for rounds in (0, 16):
        ((_, made, _),) = family.sampler(Codec()).sample(family.options(rounds=rounds), [{"source": picture}], [0])
        again = drawn_picture(Sound(made["target"][:, None], 8000), config)[:, :, 0]
        away[rounds] = np.abs(again.astype(float) - drawn).mean() * 80 / 255
    assert away[16] < 0.6 * away[0]


def test_sizes_begin_with_what_the_bands_say():
    network = built().network
    with torch.inference_mode():
        loud, quiet = (network.spectrum(torch.full((1, 16, 8), value))[0].mean() for value in (1.0, -1.0))
    assert abs(float(loud - quiet) - 80 * np.log(10) / 20) < 1.0


def test_windows_are_cut_alike_from_picture_and_sound():
    family, whole = built(), batch()
    whole["target"] = torch.arange(TINY.samples).float().expand(2, -1)
    whole["source"] = (torch.arange(16).float() / 100).expand(2, 16, 16)
    cut = family.prepare(whole, torch.Generator().manual_seed(1))
    start = (cut["source"][:, 0, 0] * 100).round()
    assert torch.equal(cut["target"][:, 0], start * TINY.hop)
    assert cut["target"].shape == (2, 12 * 32)


def test_a_codec_of_steps_is_refused():
    with pytest.raises(ConfigError, match="numbers"):
        TINY.bound_to(WaveCodecConfig(use_pictures=True).made(0))
