"""A voice is heard as much higher and quieter as it is told to be: learned from recordings whose pitch and loudness are known."""

import numpy as np
import pytest

import makar
from makar.codecs.pitch import pitches_hz, semitones
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from tests.cli.small_models import see
from tests.recipes.spoken_data import SPEECH_SETTINGS
from tests.recipes.sung_data import write_sung


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manner")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder / "home"))
        write_sung(folder / "data", count=24)
        see("train", folder / "data", "--recipe", "speech", "--steps", "4", *SPEECH_SETTINGS, "-o", "voice")
    return folder


def heard(sound):
    """Return median pitch in semitones, and level in decibels."""
    found = pitches_hz(sound, threshold=0.4)
    return np.nanmedian(semitones(found)), 10 * np.log10(np.mean(sound.samples**2))


def test_a_voice_is_as_much_higher_and_quieter_as_it_is_told(place):
    model = makar.load("voice")

    def said(**options):
        (asset,) = model.generate("low high low", seed=1, options={"steps": 2, **options})
        return heard(Sound(asset.content.samples, asset.content.rate_hz))

    plain, low, high = said(), said(pitch=-3), said(pitch=3)
    assert abs(high[0] - low[0] - 6) < 1.5 and low[0] < plain[0] < high[0]
    assert abs(said(energy=-6)[1] - plain[1] + 6) < 1.5


def test_it_stands_in_the_manifest_and_what_cannot_be_is_refused(place, tmp_path):
    see("generate", "voice", "low", "--pitch", "2", "--energy", "-3", "--steps", "2", "-o", "said.wav")
    assert read_sound((tmp_path / "said.wav").read_bytes()).seconds > 0.1
    found = makar.verify(tmp_path / "said.wav").manifest["edit"]
    assert (found["pitch"], found["energy"], found["speed"]) == (2.0, -3.0, 1.0)
    assert "was heard" in see("generate", "voice", "low", "--pitch", "11", code=2).messages
    for words in (["--pitch", "30"], ["--energy", "40"]):
        assert " to " in see("generate", "voice", "low", *words, code=2).messages
