"""Recordings of one speaker lie together and those of two apart, also of speakers that were never heard, whatever they say."""

import itertools

import numpy as np
import pytest

from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.prosody import track_of
from makar.codecs.speaker import FEATURES, SpeakerSpace, learned_space, speaker_features
from makar.codecs.speech_config import SpeechCodecConfig
from makar.data.sound import Sound
from makar.errors import ArtifactError, ConfigError, DataError, UnsupportedError, UsageError
from tests.codecs.test_sound import record
from tests.codecs.test_speech import CONFIG
from tests.recipes.spoken_data import sentence
from tests.recipes.sung_data import sung

HEARD = list(itertools.product((100.0, 140.0, 200.0), (0.85, 1.1)))
UNHEARD = [(115.0, 0.95), (115.0, 1.2), (170.0, 0.95)]
TOLD = CONFIG.changed(use_example=True, use_prosody=True)


def one(speaker, number):
    return sung(sentence(number), seed=number, middle_hz=speaker[0], longer=speaker[1], reach=2.0)


def features(speaker, number):
    sound = one(speaker, number)
    return speaker_features(sound, track_of(sound))


@pytest.fixture(scope="module")
def space():
    rows = [
        (features(speaker, 7 * place + number), str(speaker))
        for place, speaker in enumerate(HEARD)
        for number in range(5)
    ]
    return learned_space([row for row, _ in rows], [name for _, name in rows])


@pytest.fixture(scope="module")
def codec():
    made = [
        record(one(speaker, number), number=10 * place + number, label=f"voice {place}", caption=sentence(number))
        for place, speaker in enumerate(HEARD[:3])
        for number in range(4)
    ]
    return fit_codec(TOLD, iter(made))


def test_speakers_that_were_never_heard_are_told_apart(space):
    places = {
        speaker: np.stack([space.vector(features(speaker, 50 + number)) for number in range(4)]) for speaker in UNHEARD
    }
    within = np.mean([np.linalg.norm(a - b) for rows in places.values() for a, b in itertools.combinations(rows, 2)])
    apart = np.mean([np.linalg.norm(a.mean(0) - b.mean(0)) for a, b in itertools.combinations(places.values(), 2)])
    assert apart > 2 * within
    assert space.planes(features(UNHEARD[0], 1)).min() >= 0 and space.planes(features(UNHEARD[0], 1)).max() <= 1


def test_how_loud_a_recording_is_says_nothing_of_the_speaker(space):
    sound = one(UNHEARD[0], 3)
    quiet = Sound(0.3 * sound.samples, sound.rate_hz)
    loud, soft = (space.vector(speaker_features(heard, track_of(heard))) for heard in (sound, quiet))
    assert np.abs(loud - soft).max() < 0.2


def test_it_is_kept_in_files_and_one_speaker_is_not_enough(space):
    back = SpeakerSpace.from_dictionary(space.to_dictionary())
    row = features(UNHEARD[1], 2)
    assert np.allclose(back.vector(row), space.vector(row), atol=1e-3)
    with pytest.raises(ArtifactError, match="shape"):
        SpeakerSpace.from_dictionary({**space.to_dictionary(), "mean": [0.0]})
    for voices in (["a"] * 3, ["a", "b", "c"]):
        with pytest.raises(ConfigError, match="speakers"):
            learned_space([np.zeros(FEATURES)] * 3, voices)


def test_a_codec_speaks_after_an_example_and_around_its_pitch(codec):
    with pytest.raises(UsageError, match="no example"):
        codec.scripts("low")
    low, high = (codec.heard(one((hertz, 1.0), 9)) for hertz in (110.0, 180.0))
    scripts = [codec.scripts("low high", example=heard)[0]["source"] for heard in (low, high)]
    assert scripts[0].shape == (TOLD.source_planes, 1, CONFIG.frames)
    first = TOLD.unit_planes + 2
    places = [
        (script[first : first + 41, 0, 12] * np.arange(41)).sum() / script[first : first + 41, 0, 12].sum()
        for script in scripts
    ]
    assert abs(places[1] - places[0] - 12 * np.log2(180 / 110)) < 1.5
    assert not np.array_equal(scripts[0][-16:], scripts[1][-16:])
    again = load_codec(codec.config, codec.files())
    back = again.scripts("low high", example=again.heard(one((110.0, 1.0), 9)))[0]["source"]
    assert np.abs(back - scripts[0]).max() < 0.01


def test_what_is_no_voice_is_no_example(codec):
    silence = Sound(np.zeros((8000, 1), np.float32), 8000)
    with pytest.raises(DataError, match="no voice"):
        codec.heard(silence)
    plain = fit_codec(
        CONFIG,
        iter([record(one(HEARD[0], 1), caption=sentence(1)), record(one(HEARD[0], 2), number=2, caption=sentence(2))]),
    )
    with pytest.raises(UnsupportedError, match="those that it learned"):
        plain.heard(silence)


def test_a_voice_is_told_in_one_way():
    with pytest.raises(ConfigError, match="not both"):
        SpeechCodecConfig(use_labels=True, use_example=True)
