"""The pitch of a voice is found within a quarter of a semitone, and where nothing is periodic nothing is said."""

import numpy as np
import pytest

from makar.codecs.pitch import pitches_hz, semitones
from makar.data.sound import Sound


def voice(hertz, *, rate=16_000, seconds=0.4):
    """Return a sound of many harmonics; its pitch is one number, or one a sample."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, round(rate * seconds))) / rate
    wave = sum(np.cos(number * phase + number**2) / number for number in range(1, 9))
    return Sound((0.1 * wave).astype(np.float32)[:, None], rate)


@pytest.mark.parametrize(
    "hertz, rate", [(70.0, 16_000), (123.4, 16_000), (220.0, 44_100), (333.0, 22_050), (450.0, 8000)]
)
def test_the_pitch_of_a_steady_voice_is_found(hertz, rate):
    found = pitches_hz(voice(hertz, rate=rate))
    assert np.mean(np.isnan(found)) < 0.1
    assert np.abs(semitones(found[~np.isnan(found)]) - semitones(hertz)).max() < 0.25


def test_a_rising_pitch_is_followed():
    hertz = 100 * 2 ** np.linspace(0, 1, 16_000)
    found = pitches_hz(voice(hertz, seconds=1.0))
    away = semitones(found) - semitones(100) - 12 * np.arange(len(found)) / len(found)
    assert np.nanmax(np.abs(away[4:-4])) < 0.7


def test_a_missing_first_harmonic_changes_nothing():
    times = np.arange(6400) / 16_000
    wave = sum(np.sin(2 * np.pi * 110 * number * times) for number in (2, 3, 4, 5))
    found = pitches_hz(Sound((0.1 * wave).astype(np.float32)[:, None], 16_000))
    assert abs(np.nanmedian(found) - 110) < 1


def test_noise_silence_and_almost_nothing_have_no_pitch():
    draw = np.random.default_rng(0)
    for wave in (draw.normal(0, 0.1, 8000), np.zeros(8000), np.zeros(3)):
        assert np.isnan(pitches_hz(Sound(wave.astype(np.float32)[:, None], 16_000))).all()


def test_what_is_far_quieter_than_the_rest_has_none():
    loud = voice(150.0).samples
    whole = np.concatenate([loud, 0.001 * loud])
    found = pitches_hz(Sound(whole, 16_000))
    assert np.isnan(found[len(found) // 2 + 6 :]).all() and not np.isnan(found[5 : len(found) // 2 - 5]).any()
