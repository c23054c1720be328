"""Linear prediction: tones go on as they are, noise dies away, and nothing grows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makar.data.linear_prediction import burg, continued, edges

RATE = 8000


def chord(count):
    times = np.arange(count) / RATE
    return sum(
        level * np.sin(2 * np.pi * pitch * times + pitch) for pitch, level in ((200, 0.3), (910, 0.2), (2350, 0.1))
    )


def test_tones_go_on_as_they_are():
    whole = chord(1200)
    assert np.abs(continued(whole[:800], 80) - whole[800:880]).max() < 0.02


def test_the_weights_of_a_resonance_are_found():
    draw = np.random.default_rng(0)
    wave = np.zeros(20_000)
    for place in range(2, len(wave)):
        wave[place] = 1.6 * wave[place - 1] - 0.81 * wave[place - 2] + draw.standard_normal()
    assert burg(wave, order=2) == pytest.approx([1.6, -0.81], abs=0.02)


@given(st.integers(0, 2**32 - 1), st.integers(0, 400), st.sampled_from(["noise", "ramp", "steps", "silence"]))
@settings(max_examples=60, deadline=None)
def test_nothing_grows(seed, count, kind):
    draw = np.random.default_rng(seed)
    heard = {
        "noise": draw.uniform(-1, 1, count),
        "ramp": np.linspace(-1, 1, count),
        "steps": np.sign(draw.uniform(-1, 1, count)),
        "silence": np.zeros(count),
    }[kind]
    made = continued(heard, 600)
    assert np.isfinite(made).all() and np.abs(made).max() <= np.abs(heard).max(initial=0.0)


def test_the_edges_of_a_hole_go_on_and_its_middle_is_silent():
    whole = chord(4000).astype(np.float32)
    hole = edges(whole[:1600], whole[2400:], 800, rate_hz=RATE, seconds=0.02)
    truth = whole[1600:2400]
    assert np.abs(hole[:80] - truth[:80]).max() < 0.02 and np.abs(hole[-80:] - truth[-80:]).max() < 0.02
    assert not hole[160:640].any() and np.abs(hole[120]) < np.abs(truth).max()
    assert not edges(whole[:0], whole[:0], 50, rate_hz=RATE, seconds=0.02).any()
    alone = edges(whole[:1600], whole[:0], 800, rate_hz=RATE, seconds=0.02)
    assert np.array_equal(alone[:160], hole[:160]) and not alone[160:].any()
