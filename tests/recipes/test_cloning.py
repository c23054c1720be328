"""A voice that was never learned is spoken with after one recording: only with the record of whoever it is, and as high as they speak."""

import numpy as np
import pytest

import makar
from makar.api.model import verify
from makar.codecs.pitch import pitches_hz, semitones
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from makar.errors import ConfigError, ConsentError, UnsupportedError, UsageError
from tests.cli.small_models import see
from tests.recipes.spoken_data import SPEECH_SETTINGS, sentence
from tests.recipes.sung_data import sung, write_sung

ANNA, BEN = 190.0, 115.0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder / "home"))
        for number, hertz in enumerate((100.0, 130.0, 165.0, 210.0)):
            write_sung(
                folder / "data" / f"speaker {number}", count=6, middle_hz=hertz, longer=1 + number / 20, reach=2.0
            )
        see("train", folder / "data", "--recipe", "speech-clone", "--steps", "4", *SPEECH_SETTINGS, "-o", "anyone")
        for name, hertz in (("Anna", ANNA), ("Ben", BEN)):
            path = folder / f"{name}.wav"
            path.write_bytes(wave_bytes(sung(sentence(11), seed=77, middle_hz=hertz, longer=1.08, reach=2.0)))
            see("consent", "record", path, "--who", name, "--scope", "voice", "-o", folder / f"{name}.json")
    return folder


def height(content):
    return np.nanmedian(semitones(pitches_hz(Sound(content.samples, content.rate_hz), threshold=0.4)))


def test_an_unheard_voice_is_spoken_with_as_high_as_it_is(place):
    model = makar.load("anyone")
    heard = {}
    for name in ("Anna", "Ben"):
        voice = makar.agreed_voice(place / f"{name}.wav", who=name, consent=place / f"{name}.json")
        (asset,) = model.generate("low high low", seed=1, options={"example": voice, "steps": 2})
        heard[name] = height(asset.content)
        stated = asset.manifest["edit"]
        assert stated["consent"][0]["who"] == name and len(stated["example"]["sha256"]) == 64
    assert abs(heard["Anna"] - heard["Ben"] - semitones(ANNA) + semitones(BEN)) < 2


def test_nobody_is_spoken_as_without_having_agreed(place, tmp_path):
    say = ["generate", "anyone", "low", "--steps", "2", "-o", "said.wav"]
    assert "no example" in see(*say, code=2).messages
    anna = [*say, "--example", place / "Anna.wav"]
    assert "nobody says whose" in see(*anna, code=2).messages
    assert "no consent of Anna" in see(*anna, "--voice-of", "Anna", code=2).messages
    assert "Ben's" in see(*anna, "--voice-of", "Anna", "--consent", place / "Ben.json", code=2).messages
    # Nobody's agreement is good for another recording.
    other = [*say, "--example", place / "Ben.wav", "--voice-of", "Anna", "--consent", place / "Anna.json"]
    assert "not the recording of the consent" in see(*other, code=2).messages
    assert "no recording" in see(*say, "--voice-of", "Anna", code=2).messages
    agreed = [*anna, "--voice-of", "Anna", "--consent", place / "Anna.json"]
    see(*agreed)
    assert verify(tmp_path / "said.wav").is_intact
    model = makar.load("anyone")
    for example in (str(place / "Anna.wav"), {"who": "Anna"}):
        with pytest.raises(ConfigError, match="agreed_voice"):
            model.generate("low", options={"example": example})
    voice = makar.agreed_voice(place / "Ben.wav", who="Ben", consent=place / "Ben.json")
    with pytest.raises(UnsupportedError, match="script"):
        makar.speak("low", voices="anyone", options={"example": voice})
    with pytest.raises(UsageError, match="no example"):
        makar.speak("low", voices="anyone")
    see("consent", "revoke", place / "Ben.json")
    with pytest.raises(ConsentError, match="took the consent back"):
        model.generate("low", options={"example": voice})
