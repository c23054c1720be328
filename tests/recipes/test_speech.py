"""Speech goes through the verbs: train on recordings with their words, speak new texts, long ones in parts, measured on held-out ones."""

import numpy as np
import pytest

import makar
from makar.api.model import verify
from makar.data.sound_reader import read_sound
from tests.cli.small_models import see
from tests.recipes.spoken_data import PITCHES, SPEECH_SETTINGS, write_spoken


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    write_spoken(folder / "data", count=24)
    # A letter is told from another by its pitch alone here, which is no voice's: what moves a voice is shown in test_manner.
    names = {"pitch_shift": 0, "energy_shift": 0, "use_prosody": "false"}
    as_it_is = [word for name, value in names.items() for word in ("--set", f"stages.0.codec.{name}={value}")]
    trained = see(
        "train", folder / "data", "--recipe", "speech", "--steps", "60", *SPEECH_SETTINGS, *as_it_is, "-o", "voice"
    )
    assert 'makar generate voice "TEXT"' in trained.messages
    patch.undo()
    return folder


def loudest_pitches(sound):
    """Return the strongest frequency of every 20 ms that is not quiet."""
    samples = sound.samples[:, 0]
    windows = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    loud = np.abs(windows).max(1) > 0.05
    spectrum = np.abs(np.fft.rfft(windows[loud] * np.hanning(160), 1024, axis=1))
    return spectrum[:, 10:].argmax(1) * 8000 / 1024 + 10 * 8000 / 1024


def test_a_new_text_is_spoken_letter_by_letter(place, tmp_path):
    made = see("generate", "voice", "high low low", "-o", "said.wav", "--seed", "3", "--json").values
    assert made[0]["manifest"]["prompt"] == "high low low" and made[0]["manifest"]["edit"]["operation"] == "speak"
    assert made[0]["manifest"]["source_type"].endswith("trainedAlgorithmicMedia")
    assert verify(tmp_path / "said.wav").is_intact
    pitches = loudest_pitches(read_sound((tmp_path / "said.wav").read_bytes()))
    heard = "".join(min(PITCHES, key=lambda letter: abs(np.log(PITCHES[letter] / pitch))) for pitch in pitches)
    # In order and among all that is heard, since a letter lasts several windows.
    place_of = [heard.find("h"), heard.find("g"), heard.rfind("l"), heard.rfind("w")]
    assert -1 not in place_of and place_of == sorted(place_of), heard


def test_the_same_seed_speaks_alike_and_several_texts_are_spoken(place):
    model = makar.load("voice")
    first, again, other = (model.generate("low high", seed=seed)[0].content.wave for seed in (1, 1, 2))
    assert first == again != other
    assert len(model.generate(["low", "high"], count=2, seed=1)) == 4


def test_a_long_text_is_one_recording(place):
    model = makar.load("voice")
    (short,) = model.generate("low high low.", options={"steps": 2})
    (long,) = model.generate("low high low. " * 12, options={"steps": 2})
    assert long.manifest["edit"]["parts"] > 2 and long.content.seconds > 6 * short.content.seconds


@pytest.mark.parametrize("words, message", [([], "no text"), (["?!"], "spoken"), ([" "], "to be spoken")])
def test_what_cannot_be_spoken_is_refused(place, words, message):
    assert message in see("generate", "voice", *words, code=2).messages


def test_recordings_without_words_ask_for_them(place, tmp_path):
    for number in range(4):
        (tmp_path / "mute").mkdir(exist_ok=True)
        (tmp_path / "mute" / f"{number}.wav").write_bytes((place / "data" / f"{number}.wav").read_bytes())
    assert "words of every recording" in see("train", "mute", "--recipe", "speech", "--steps", "2", code=2).messages


def test_a_voice_is_measured_on_held_out_sentences(place, tmp_path):
    report = see("evaluate", "voice", "-o", "report", "--json").values
    score = report["scores"]["loudness_difference"]
    assert score["value"] < score["baselines"]["another recording"]["value"]
    (page,) = (tmp_path / "report").rglob("*.html")
    assert "data:audio/wav;base64," in page.read_text(encoding="utf-8")


def test_a_model_of_speech_changes_no_sound(place):
    assert "changes nothing" in see("edit", "voice", place / "data" / "0.wav", "--go-on", code=2).messages
