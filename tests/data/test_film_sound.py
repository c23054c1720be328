"""The sound of a film is written and read in step with its pictures."""

import numpy as np
import pytest

from makar.data.clip import Clip
from makar.data.film_sound import fitted, read_track
from makar.data.sound import Sound
from makar.data.video_file import CODINGS, video_bytes
from makar.data.wave_file import on_grid
from makar.errors import DataError, UnsupportedError

av = pytest.importorskip("av")

RATE = 16_000
CLIP = Clip(np.random.default_rng(0).integers(0, 255, (8, 16, 16, 3), np.uint8), 8.0)
NOISE = on_grid(np.random.default_rng(1).uniform(-0.3, 0.3, (RATE, 2)).astype(np.float32))


def click(second, seconds=1.0):
    samples = np.zeros((round(seconds * RATE), 1), np.float32)
    samples[round(second * RATE) : round(second * RATE) + 160] = 0.5
    return Sound(samples, RATE)


@pytest.mark.parametrize("form", CODINGS)
def test_what_is_heard_comes_back_when_it_was(form):
    content = video_bytes(CLIP, form, comment="", sound=click(0.5))
    back = read_track(content)
    place = np.flatnonzero(np.abs(back.samples[:, 0]) > 0.2)[0] / back.rate_hz
    assert place == pytest.approx(0.5, abs=0.005) and back.seconds == pytest.approx(1.0, abs=0.07)
    assert content == video_bytes(CLIP, form, comment="", sound=click(0.5)) or form == "mp4"


def test_samples_of_16_bits_come_back_bit_for_bit():
    back = read_track(video_bytes(CLIP, "mkv", comment="", sound=Sound(NOISE, RATE)))
    assert back.rate_hz == RATE and np.array_equal(back.samples, NOISE)
    finer = Sound(NOISE + np.float32(2**-20), RATE)
    assert np.abs(read_track(video_bytes(CLIP, "mkv", comment="", sound=finer)).samples - finer.samples).max() < 2**-22


def test_many_channels_are_mixed_and_a_film_without_sound_has_none():
    six = Sound(np.tile(NOISE, (1, 3)), RATE)
    assert read_track(video_bytes(CLIP, "mkv", comment="", sound=six)).samples.shape == (RATE, 1)
    for form in ("mkv", "gif"):
        assert read_track(video_bytes(CLIP, form, comment="")) is None


def test_a_form_without_room_for_sound_says_so():
    with pytest.raises(UnsupportedError, match="sound in a video as gif"):
        video_bytes(CLIP, "gif", comment="", sound=click(0))


def test_a_damaged_track_is_said():
    content = video_bytes(CLIP, "mkv", comment="", sound=Sound(NOISE, RATE))
    with pytest.raises(DataError, match="no sound of a film"):
        read_track(content[:16] + b"\xff" * 400)


def test_a_sound_is_made_to_fit():
    assert np.array_equal(fitted(Sound(NOISE, RATE), 8000).samples, NOISE[:8000])
    longer = fitted(Sound(NOISE, RATE), RATE + 5)
    assert np.array_equal(longer.samples[:RATE], NOISE) and not longer.samples[RATE:].any()
