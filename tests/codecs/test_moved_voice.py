"""A recording is learned from as if it were higher or louder: harmonics move, the outline and what has no pitch stay."""

import dataclasses

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.hearing import drawn_picture, played_picture
from makar.codecs.moved_voice import Move, move_for, moved_picture
from makar.codecs.pitch import pitches_hz, semitones
from makar.codecs.prosody import track_of
from makar.codecs.speech_config import SpeechCodecConfig
from makar.data.sound import Sound
from makar.data.spectrogram import RANGE_DB
from makar.errors import ConfigError
from tests.codecs.test_sound import record
from tests.recipes.sung_data import sung

CONFIG = SpeechCodecConfig(rate_hz=8000, hop=128, mels=64, frames=96, loudest_db=6.0, units="letters")
SOUND = sung("low high low", seed=3, reach=1.0)
TRACK = track_of(SOUND)


def moved(pitch, energy=0.0):
    return moved_picture(SOUND, CONFIG, TRACK, Move(pitch, energy))[:, :, 0]


def test_a_recording_that_is_not_moved_is_itself():
    assert np.abs(moved(0.0).astype(int) - drawn_picture(SOUND, CONFIG)[:, :, 0]).max() <= 1


@pytest.mark.parametrize("pitch", [-4.0, -2.0, 3.0])
def test_its_pitch_moves_by_what_is_said(pitch):
    heights = [
        np.nanmedian(semitones(pitches_hz(played_picture(picture, CONFIG), threshold=0.4)))
        for picture in (moved(0.0), moved(pitch))
    ]
    assert abs(heights[1] - heights[0] - pitch) < 0.6


def test_its_formants_stay_where_they_are():
    def outline(picture):
        """Return the loudness by band where it is loud, with the harmonics smoothed away, beside its mean."""
        loud = picture[:, picture.max(0) > picture.max() - 60]
        smooth = np.convolve(loud.mean(1), np.ones(9) / 9, mode="valid")
        return smooth - smooth.mean()

    ratio = 2 ** (4 / 12)
    samples = SOUND.samples[:, 0]
    faster = np.interp(np.arange(0, len(samples) - 1, ratio), np.arange(len(samples)), samples)
    plain, higher = outline(moved(0.0)), outline(moved(4.0))
    read_faster = outline(drawn_picture(Sound(faster.astype(np.float32)[:, None], 8000), CONFIG)[:, :, 0])
    assert np.abs(higher - plain).mean() < 0.5 * np.abs(read_faster - plain).mean()


def test_what_is_louder_is_louder_everywhere():
    louder = moved(0.0, 6.0).astype(float) - moved(0.0)
    seen = (moved(0.0) > 0) & (moved(0.0) < 230)
    assert np.abs(louder[seen] - 6 * 255 / RANGE_DB).max() <= 1


def test_half_of_the_recordings_are_learned_from_once_more_and_none_that_are_held_out():
    told = CONFIG.changed(use_prosody=True, pitch_shift=4.0, energy_shift=6.0)
    rows = [record(sung("low high", seed=number), number=number, caption="low high") for number in range(8)]
    codec = fit_codec(told, iter(rows))
    found = list(codec.cut(rows))
    assert found == list(codec.cut(rows)) and 9 <= len(found) <= 15

    def is_moved(row):
        return not np.array_equal(codec.encode(row)["target"][0], codec.picture(row.content)[:, :, 0])

    assert [is_moved(row) for row in found] == [row.id.endswith(" moved") for row in found]
    aside = [dataclasses.replace(row, split="held_out") for row in rows]
    assert list(codec.cut(aside)) == aside
    many = [dataclasses.replace(rows[0], id=f"{number} moved") for number in range(300)]
    moves = [move_for(row, most_pitch=4.0, most_energy=6.0) for row in many]
    assert max(abs(move.pitch) for move in moves) > 3.8 and max(abs(move.energy) for move in moves) > 5.7
    assert (
        abs(np.mean([move.pitch for move in moves])) < 0.5
        and move_for(rows[0], most_pitch=4.0, most_energy=6.0) is None
    )


@pytest.mark.parametrize("values", [{}, {"use_prosody": True, "use_samples": True}])
def test_what_is_moved_is_told_and_has_no_samples(values):
    with pytest.raises(ConfigError, match="moved"):
        SpeechCodecConfig(pitch_shift=4.0, **values)
