"""Sound at another speed keeps its pitch, or lets it follow; what happens in it happens when it should."""

import numpy as np
import pytest

from makar.data.sound import Sound
from makar.generation.stretching import REACH_SECONDS, WINDOW_SECONDS, at_speed

RATE = 16_000
TIMES = np.arange(2 * RATE) / RATE


def tone(hertz):
    return (0.3 * np.sin(2 * np.pi * hertz * TIMES)).astype(np.float32)


def pitch(sound):
    power = np.abs(np.fft.rfft(sound.samples[:, 0] * np.hanning(len(sound.samples)), 1 << 18))
    return power.argmax() * sound.rate_hz / (1 << 18)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_the_pitch_stays_or_follows(speed):
    samples = round(len(TIMES) / speed)
    given = Sound(tone(440)[:, None], RATE)
    stays = at_speed(given, speed, samples=samples)
    follows = at_speed(given, speed, samples=samples, shift_pitch=True)
    assert len(stays.samples) == len(follows.samples) == samples
    assert pitch(stays) == pytest.approx(440, abs=2) and pitch(follows) == pytest.approx(440 * speed, abs=2)
    # No beats where windows meet: a tone stays as loud as it was.
    inner = stays.samples[RATE // 4 : -RATE // 4, 0]
    loudness = np.sqrt(np.convolve(inner**2, np.ones(400) / 400, "valid"))
    assert loudness.min() > 0.9 * 0.3 / np.sqrt(2) and loudness.max() < 1.1 * 0.3 / np.sqrt(2)


@pytest.mark.parametrize("speed", [0.5, 1.5])
def test_what_happens_comes_at_its_new_time(speed):
    samples = np.zeros((2 * RATE, 1), np.float32)
    rng = np.random.default_rng(0)
    for second in (0.5, 1.2):
        start = round(second * RATE)
        samples[start : start + 800, 0] = rng.uniform(-0.5, 0.5, 800)
    made = at_speed(Sound(samples, RATE), speed, samples=round(2 * RATE / speed)).samples[:, 0]
    loud = np.flatnonzero(np.abs(made) > 0.1) / RATE
    begins = [loud[0], loud[np.flatnonzero(np.diff(loud) > 0.2)[0] + 1]]
    assert begins == pytest.approx([0.5 / speed, 1.2 / speed], abs=REACH_SECONDS + WINDOW_SECONDS / 2)


def test_channels_stay_in_step_and_silence_stays_silent():
    both = np.stack([tone(300), tone(300)], 1)
    made = at_speed(Sound(both, RATE), 1.3, samples=20_000).samples
    assert np.array_equal(made[:, 0], made[:, 1])
    assert not at_speed(Sound(np.zeros((RATE, 1), np.float32), RATE), 0.7, samples=9000).samples.any()


def test_the_same_speed_leaves_every_sample():
    given = Sound(tone(200)[:, None], RATE)
    assert np.array_equal(at_speed(given, 1.0, samples=len(TIMES)).samples, given.samples)
