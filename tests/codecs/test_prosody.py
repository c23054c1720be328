"""Pitch and energy of units: measured, learned, moved as far as the recordings reach, and told to the model frame by frame."""

import dataclasses

import numpy as np
import pytest

from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.pitch import semitones
from makar.codecs.prosody import (
    MOST_DB,
    QUIETEST_DB,
    Contour,
    Heard,
    Level,
    Manner,
    Measured,
    Prosody,
    learned_prosody,
    track_of,
)
from makar.codecs.told_planes import PITCH_PLANES, PROSODY_PLANES
from makar.data.sound import Sound
from makar.errors import ArtifactError, UnsupportedError
from tests.codecs.test_pitch import voice
from tests.codecs.test_sound import record
from tests.codecs.test_speech import CONFIG, records

TOLD = CONFIG.changed(use_prosody=True)


@pytest.fixture(scope="module")
def codec():
    return fit_codec(TOLD, iter(records(12)))


def test_units_have_the_pitch_and_level_that_they_are_spoken_with():
    parts = [voice(100.0).samples, 0.5 * voice(200.0).samples, np.zeros((3200, 1), np.float32)]
    ends = np.cumsum([len(part) for part in parts]) / 16_000
    found = track_of(Sound(np.concatenate(parts), 16_000)).measured(ends)
    assert np.abs(found.pitch - semitones(np.array([100.0, 200.0, 200.0]))).max() < 0.5
    level = 10 * np.log10(np.mean(parts[0] ** 2))
    assert abs(found.energy[0] - level) < 0.5 and abs(found.energy[1] - level + 6.02) < 0.5
    assert found.energy[2] == QUIETEST_DB


def test_frames_are_told_a_gliding_pitch_and_the_energy_of_their_unit():
    contour = Contour(np.array([10.0, 12.0]), np.array([-MOST_DB, MOST_DB / 2]))
    ends, times = np.array([0.2, 0.4]), np.array([0.0, 0.1, 0.2, 0.3, 0.39, 0.5])
    told = contour.planes(ends, times)
    assert told.shape == (PROSODY_PLANES, 6)
    places = (told[:-1] * np.arange(PITCH_PLANES)[:, None]).sum(0)
    assert np.allclose(places, [10, 10, 11, 12, 12, 0]) and np.allclose(told[:-1].sum(0), [1, 1, 1, 1, 1, 0])
    assert np.allclose(told[-1], [0, 0, 0.75, 0.75, 0.75, 0.5])


def test_a_text_is_spoken_around_the_level_of_its_voice_and_moved_from_there():
    draw = np.random.default_rng(0)
    orders = [np.concatenate([[0], draw.integers(1, 4, 9), [0]]) for _ in range(60)]
    of_one = {"level": Level(22.0, -34.0), "voice": "a"}
    heard = [Heard(order=order, measured=Measured(20.0 + order, -30.0 - 2 * order), **of_one) for order in orders]
    learned = learned_prosody(heard, {"a": of_one["level"]}, units=4, shift=0.0)
    order, level = np.array([0, 1, 2, 3, 0]), Level(10.0, -20.0)
    plain = learned.said(order, level, Manner(), units=4)
    assert np.allclose(plain.pitch, 8 + order, atol=0.2) and not plain.louder.any()
    louder = learned.heard(order, Measured(plain.pitch, -13.0 - 2 * order), level, units=4)
    assert np.allclose(louder.louder, 3, atol=0.6) and np.array_equal(louder.pitch, plain.pitch)
    moved = learned.said(order, level, Manner(pitch=1.0, energy=-3.0), units=4)
    assert np.allclose(moved.pitch - plain.pitch, 1)
    assert np.allclose(moved.louder, -3)
    assert learned.reach == (-2, 1) and dataclasses.replace(learned, shift=1.5).reach == (-1.5, 1.5)
    for pitch in (-2.1, 1.1):
        with pytest.raises(UnsupportedError, match="semitones from that") as caught:
            learned.said(order, level, Manner(pitch=pitch), units=4)
        assert "-2.0 to +1.0" in caught.value.expected
    back = Prosody.from_dictionary(learned.to_dictionary(), units=4)
    assert np.allclose(back.said(order, level, Manner(), units=4).pitch, plain.pitch, atol=1e-3)
    with pytest.raises(ArtifactError, match="weights"):
        Prosody.from_dictionary(learned.to_dictionary(), units=5)


def test_a_codec_tells_them_and_keeps_them_in_its_files(codec):
    (plain,) = (told["source"] for told in codec.scripts("low high"))
    assert plain.shape == (CONFIG.source_planes + PROSODY_PLANES, 1, CONFIG.frames)
    (quiet,) = (told["source"] for told in codec.scripts("low high", manner=Manner(energy=-6.0)))
    differ = np.flatnonzero((plain != quiet).any((1, 2)))
    assert differ.tolist() == [TOLD.source_planes - 1]
    again = load_codec(codec.config, codec.files())
    assert np.abs(again.scripts("low high")[0]["source"] - plain).max() < 0.01
    said = codec.encode(records(1)[0])["source"]
    assert said[-1].max() > 100 and said[-PROSODY_PLANES:-1].max() > 100


def test_what_was_never_told_cannot_be_moved():
    old = fit_codec(CONFIG, iter(records(4)))
    for manner in (Manner(pitch=1.0), Manner(energy=-1.0)):
        with pytest.raises(UnsupportedError, match="not told them"):
            old.scripts("low", manner=manner)
    damaged = {"speech_codec.json": old.files()["speech_codec.json"]}
    with pytest.raises(ArtifactError):
        load_codec(old.config.changed(use_prosody=True), damaged)


def test_every_voice_moves_around_its_own_level():
    codec = fit_codec(TOLD.changed(use_labels=True), iter(records(8)))
    shifted = {name: codec.scripts("low high", voice=name)[0]["source"] for name in codec.class_names}
    assert not np.array_equal(shifted["a"], shifted["b"])


def test_other_recordings_bring_their_own_level(codec):
    higher = [record(voice(300.0, rate=8000, seconds=2.0), number=9, caption="low high")]
    plain, moved = codec.scripts("low high")[0]["source"], codec.counted(iter(higher)).scripts("low high")[0]["source"]
    assert not np.array_equal(plain[TOLD.unit_planes + 2 : -1], moved[TOLD.unit_planes + 2 : -1])
    assert np.array_equal(plain[: TOLD.unit_planes], moved[: TOLD.unit_planes])
