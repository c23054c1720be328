"""Samples: the steps of the mu-law, what lies behind the end, pictures beside them, and by what they are compared."""

import numpy as np
import pytest

from makar.codecs.wave import WaveCodec, samples_of, steps_of
from makar.codecs.wave_config import LEVELS, NUMBERS, WaveCodecConfig, choose_wave_codec
from makar.data.record import Record
from makar.data.sound import Sound
from makar.errors import ConfigError, EmptyDataError

RATE = 8000


def record(seconds=0.3, pitch=440.0, label=None):
    times = np.arange(round(seconds * RATE)) / RATE
    wave = (0.5 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)
    return Record(
        id="0" * 16, medium="sound", content=Sound(wave[:, None], RATE), document="d", source="s", split="train",
        label=label,
    )  # fmt: skip


def fitted(**changes):
    config = WaveCodecConfig(rate_hz=RATE, hop=64, frames=64, mels=32, **changes)
    return WaveCodec.fit(config, iter([record(label="low"), record(pitch=880, label="high")]))


def test_every_step_comes_back_and_finer_steps_lie_near_silence():
    every = np.arange(LEVELS)
    assert np.array_equal(steps_of(samples_of(every)), every)
    gaps = np.diff(samples_of(every))
    assert (gaps > 0).all() and gaps[LEVELS // 2] < gaps[0] / 20
    wave = np.linspace(-1.2, 1.2, 999)
    back = samples_of(steps_of(wave))
    assert np.abs(back - np.clip(wave, -1, 1)).max() < 0.025 and np.abs(back[495:504]).max() < 0.02


def test_a_sound_comes_back_as_long_as_it_is():
    codec, given = fitted(), record()
    slots = codec.encode(given)
    assert (slots["target"][2400:] == LEVELS).all() and slots["target"][:2400].max() < LEVELS
    back = codec.decode({"target": codec.to_model("target", slots["target"])})
    assert len(back.samples) == 2400 and np.abs(back.samples - given.content.samples).max() < 0.02
    numbers = fitted(coding=NUMBERS)
    stored = numbers.encode(given)["target"]
    assert stored.dtype == np.int16
    back = numbers.decode({"target": numbers.to_model("target", stored)})
    assert np.abs(back.samples[:2400] - given.content.samples).max() < 1e-4 and not back.samples[2400:].any()


def test_pictures_are_those_of_other_codecs_of_sound():
    from makar.codecs.sound import SoundCodec
    from makar.codecs.sound_config import SoundCodecConfig

    codec = fitted(use_pictures=True)
    config = SoundCodecConfig(rate_hz=RATE, hop=64, frames=64, mels=32, loudest_db=codec.config.loudest_db)
    other = SoundCodec.fit(config, iter([record()]))
    assert np.array_equal(codec.encode(record())["source"], other.picture(record().content)[:, :, 0])


def test_sounds_are_compared_by_their_pictures():
    codec = fitted(coding=NUMBERS)
    stored = np.stack([codec.encode(one)["target"] for one in (record(), record(pitch=880))])
    pictures = codec.compared(stored)
    assert pictures.shape == (2, 1, 32, 64) and pictures.dtype == np.uint8
    # Where the sound ends the silence behind it is seen too.
    assert np.abs(pictures[0, 0].astype(int) - codec.picture(record().content)[:, :, 0])[:, :36].max() <= 2
    assert (pictures[0] != pictures[1]).any()


def test_classes_are_numbered_and_their_absence_is_said():
    codec = fitted(use_labels=True)
    assert codec.class_names == ("high", "low") and int(codec.encode(record(label="low"))["class"]) == 1
    assert codec.encode(record(label="else")) == {}
    with pytest.raises(ConfigError, match="no sound has a label"):
        WaveCodec.fit(WaveCodecConfig(use_labels=True), iter([record()]))
    with pytest.raises(EmptyDataError):
        WaveCodec.fit(WaveCodecConfig(), iter([]))


def test_the_rate_is_that_of_the_data_up_to_what_the_coding_suits():
    sizes = {"rates_hz": {"44100": 9, "8000": 1}, "seconds": {"most_but_5%": 2.0}}
    steps = choose_wave_codec(sizes, WaveCodecConfig())
    numbers = choose_wave_codec(sizes, WaveCodecConfig(coding=NUMBERS))
    assert (steps.rate_hz, steps.hop, steps.mels) == (8000, 128, 64)
    assert (numbers.rate_hz, numbers.hop, numbers.mels) == (16000, 256, 80)
    assert steps.samples >= 16000
