"""Levels: a known loudness, pauses that do not count, equal voices, nothing clipped, silence left alone."""

import numpy as np
import pytest

from makar.data.sound import Sound
from makar.generation.levels import HIGHEST_PEAK, TARGET_DB, evened, loudness_db


def tone(level, seconds=2.0, rate=8000):
    times = np.arange(round(seconds * rate)) / rate
    return Sound((level * np.sin(2 * np.pi * 400 * times)).astype(np.float32)[:, None], rate)


def quiet(seconds, rate=8000):
    return Sound(np.zeros((round(seconds * rate), 1), np.float32), rate)


def joined(*sounds):
    return Sound(np.concatenate([sound.samples for sound in sounds]), sounds[0].rate_hz)


@pytest.mark.parametrize("level", [0.5, 0.05])
def test_a_tone_has_the_loudness_of_its_power(level):
    assert loudness_db(tone(level)) == pytest.approx(20 * np.log10(level / np.sqrt(2)), abs=0.05)


def test_pauses_make_nobody_quieter():
    assert loudness_db(joined(tone(0.2), quiet(6), tone(0.2))) == pytest.approx(loudness_db(tone(0.2)), abs=0.6)


def test_voices_become_equally_loud():
    for level in (0.02, 0.3):
        assert loudness_db(evened(tone(level))) == pytest.approx(TARGET_DB, abs=0.1)


def test_nothing_is_clipped_and_silence_stays():
    click = quiet(2)
    click.samples[5000] = 0.9
    click.samples[:400] = tone(0.01, 0.05).samples
    assert np.abs(evened(click).samples).max() <= HIGHEST_PEAK + 1e-6
    assert loudness_db(quiet(1)) is None and np.array_equal(evened(quiet(1)).samples, quiet(1).samples)
    assert loudness_db(quiet(0.0001)) is None
