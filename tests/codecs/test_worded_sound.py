"""Sounds with words as bytes: samples come back on their grid, words letter for letter, long texts in parts."""

import numpy as np
import pytest

from makar.codecs.prompted_image import words_of
from makar.codecs.prosody import Manner
from makar.codecs.spoken_text import SpokenTextCodec
from makar.codecs.spoken_text_config import SpokenTextCodecConfig
from makar.codecs.worded_sound import WordedSoundCodec
from makar.codecs.worded_sound_config import WordedSoundCodecConfig
from makar.codecs.worded_video import WordedVideoCodec
from makar.codecs.worded_video_config import WordedVideoCodecConfig
from makar.data.record import Record
from makar.data.sound import Sound
from makar.data.wave_file import on_grid
from makar.errors import UnsupportedError, UsageError

SAMPLES = on_grid(np.random.default_rng(0).uniform(-1, 1, (400, 1)).astype(np.float32))


def record(*, caption="Fuchs, \U0001f98a", label=None):
    sound = Sound(SAMPLES, 16_000)
    return Record(
        id="0", medium="sound", content=sound, document="", source="", split="train", caption=caption, label=label
    )


def test_samples_and_words_come_back():
    codec = WordedSoundCodec(WordedSoundCodecConfig(channels=2))
    slots = codec.encode(record())
    back = codec.decode({"target": codec.to_model("target", slots["target"])})
    assert np.array_equal(back.samples, np.repeat(SAMPLES, 2, axis=1)) and back.rate_hz == 16_000
    assert words_of(slots["caption"]) == "Fuchs, \U0001f98a"
    assert codec.encode(record(caption=" ")) == {}


def test_what_is_too_loud_is_made_quieter_as_a_whole_and_what_is_too_long_is_refused():
    clips = WordedVideoCodec(WordedVideoCodecConfig(caption_bytes=16))
    with pytest.raises(UnsupportedError, match="17 bytes"):
        clips.encode_caption("x" * 17)
    codec = WordedSoundCodec(WordedSoundCodecConfig(caption_bytes=16))
    made = codec.decode({"target": np.array([[2.0], [-1.0], [0.5]], np.float32)}).samples[:, 0]
    assert np.allclose(made, [1.0, -0.5, 0.25], atol=1e-4)
    assert len(codec.encode_caption("x" * 16)) == 16
    with pytest.raises(UnsupportedError, match="17 bytes"):
        codec.encode_caption("x" * 17)


def test_a_text_is_told_in_parts_that_say_how_fast():
    codec = SpokenTextCodec(SpokenTextCodecConfig(part_characters=20))
    parts = codec.scripts("The fox ran. The rain fell, and fell on.", manner=Manner(speed=1.5))
    assert [words_of(part["caption"]) for part in parts] == ["The fox ran.", "The rain fell,", "and fell on."]
    assert all(part["speed"] == 1.5 for part in parts)
    assert len(SpokenTextCodec(SpokenTextCodecConfig()).scripts("The fox ran. The rain fell, and fell on.")) == 1
    with pytest.raises(UsageError, match="too long"):
        codec.scripts("x" * 21)
    with pytest.raises(UnsupportedError, match="another pitch"):
        codec.scripts("The fox ran.", manner=Manner(pitch=2.0))


def test_voices_are_told_apart_where_there_are_some():
    codec = SpokenTextCodec(SpokenTextCodecConfig(voices=("ann", "bob")))
    assert codec.encode(record(label="bob"))["class"] == 1 and codec.encode(record(label="eve")) == {}
    assert codec.spec["class"].vocabulary == 2
