"""Speech is written down through the verbs: train on recordings with their words, hear new and long ones, silence as nothing."""

import json

import numpy as np
import pytest

import makar
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from tests.cli.small_models import see
from tests.recipes.spoken_data import RECOGNISER_SETTINGS, sentence, spoken, write_spoken


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listener")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    write_spoken(folder / "data", count=32)
    words = ["--recipe", "recogniser", "--steps", "200", *RECOGNISER_SETTINGS]
    done = see("train", folder / "data", *words, "-o", "listener")
    assert "makar predict listener RECORDINGS" in done.messages
    patch.undo()
    return folder


def write(path, *sounds):
    path.write_bytes(wave_bytes(Sound(np.concatenate([sound.samples for sound in sounds]), sounds[0].rate_hz)))
    return path


def test_new_recordings_are_written_down_with_times(place, tmp_path):
    sound, ends = spoken("low high low", seed=500)
    found = see("predict", "listener", write(tmp_path / "a.wav", sound), "--json").values[0]
    assert found["text"] == "low high low" and found["what"] == "transcript"
    # ends: pause, three letters, space, four letters, space, three letters, pause.
    for word, first, last in zip(found["words"], (0, 4, 9), (3, 8, 12), strict=True):
        assert abs(word["start"] - ends[first]) < 0.08 and abs(word["end"] - ends[last]) < 0.12
        assert 0.5 < word["probability"] <= 1
    shown = see("predict", "listener", tmp_path / "a.wav")
    assert "low high low" in shown.output and "--json" in shown.output


def test_a_long_recording_is_heard_in_windows_and_parted_at_pauses(place, tmp_path):
    texts = [sentence(number) for number in (3, 6, 1, 4, 7, 2)]
    quiet = Sound(np.zeros((8000, 1), np.float32), 8000)
    sounds = [part for number, text in enumerate(texts) for part in (spoken(text, seed=600 + number)[0], quiet)]
    model = makar.load("listener")
    (found,) = model.predict(write(tmp_path / "long.wav", *sounds))
    assert found["seconds"] > 4 * model.artifact.codec().config.seconds
    assert [segment["text"] for segment in found["segments"]] == texts
    starts = [word["start"] for word in found["words"]]
    assert starts == sorted(starts) and len(starts) == sum(len(text.split()) for text in texts)


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_is_no_text(place, tmp_path, level):
    noise = np.random.default_rng(0).normal(0, level, (16_000, 1)).astype(np.float32)
    (found,) = makar.load("listener").predict(write(tmp_path / "quiet.wav", Sound(noise, 8000)))
    assert found["text"] == "" and found["words"] == [] and found["segments"] == []


def test_a_folder_stands_for_its_recordings(place):
    found = makar.load("listener").predict(place / "data")
    assert (
        len(found) == 32 and sum(row["text"] == sentence(int(row["input"].split("/")[-1][:-4])) for row in found) > 28
    )


@pytest.mark.parametrize(
    "words, message",
    [
        (["nothing.wav"], "no file"),
        (["notes.txt"], "sound"),
        (["empty"], "no recording"),
        (["a.wav", "--labels", "x,y"], "labels"),
        (["a.wav", "--write-captions"], "captions"),
        (["a.wav", "--top", "3"], "lines"),
    ],
)
def test_what_is_no_recording_is_refused(place, tmp_path, words, message):
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "a.wav", spoken("low", seed=1)[0])
    assert message in see("predict", "listener", *words, code=None).messages


def test_a_recogniser_speaks_nothing_and_changes_nothing(place, tmp_path):
    assert "speech" in see("generate", "listener", code=2).messages
    write(tmp_path / "a.wav", spoken("low", seed=1)[0])
    assert see("edit", "listener", tmp_path / "a.wav", "--go-on", code=2).messages


def test_it_is_measured_beside_looking_up(place, tmp_path):
    report = see("evaluate", "listener", "-o", "report", "--json").values
    score = report["scores"]["word_error"]
    assert score["value"] <= score["baselines"]["another held-out transcript"]["value"]
    assert set(score["baselines"]) == {"nearest training recording", "another held-out transcript"}
    (page,) = (tmp_path / "report").rglob("*.html")
    assert "data:audio/wav;base64," in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report" / "report.json").read_text())["scores"]["letter_error"]
