"""Models of samples go through the verbs: WaveNet makes sounds, a vocoder finds how pictures of another model sound."""

import numpy as np
import pytest

import makar
from makar.api.model import verify
from makar.data.sound_reader import read_sound
from tests.cli.small_models import see
from tests.recipes.spoken_data import SPEECH_SETTINGS, write_spoken

TINY = ["--set", "stages.0.optimisation.batch_size=4", "--set", "stages.0.family.channels=8"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waves")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    write_spoken(folder / "data", count=16)
    data = folder / "data"
    see("train", data, "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice")
    made = see("train", data, "--recipe", "vocoder", "--steps", "2", *TINY, "-o", "vocoder")
    assert "makar edit vocoder SOUND" in made.messages
    made = see("train", data, "--recipe", "wavenet", "--steps", "3", *TINY, "-o", "wavenet")
    assert "makar generate wavenet" in made.messages
    patch.undo()
    return folder


def test_wavenet_makes_signed_sounds_of_a_length_that_are_compared_with_the_data(place, tmp_path):
    made = see("generate", "wavenet", "--set", "seconds=0.1", "-n", "2", "-o", "out", "--json").values
    assert [round(row["manifest"]["content"]["seconds"], 3) for row in made] == [0.1, 0.1]
    assert all(row["novelty"]["measure"] == "distance_ratio" for row in made)
    assert verify(tmp_path / "out" / "0001.wav").is_intact
    model = makar.load("wavenet")
    first, again = (model.generate(seed=3, options={"seconds": 0.05})[0].content.wave for _ in range(2))
    assert first == again
    assert "no prompt" in see("generate", "wavenet", "a bell", code=2).messages


def test_what_held_out_sounds_cost_stands_beside_a_table_and_eight_bits(place, tmp_path):
    values = see("evaluate", "wavenet", "--samples", "1", "-o", "report", "--json").values
    score = values["scores"]["bits_per_sample"]
    assert 0 < score["value"] < 8.5
    assert score["baselines"]["knowing nothing"]["value"] == 8
    assert score["baselines"]["a table of what follows two samples"]["value"] < 8
    (page,) = (tmp_path / "report").rglob("*.html")
    assert "data:audio/wav;base64," in page.read_text(encoding="utf-8")


def test_a_vocoder_is_measured_beside_griffin_and_lim(place):
    values = see("evaluate", "vocoder", "--samples", "1", "-o", "report", "--json").values
    for key in ("log_spectral_distance", "mel_distance"):
        score = values["scores"][key]
        # Who paid no heed to the picture would be much farther away.
        assert 0 < score["value"] < 2 * score["baselines"]["Griffin-Lim"]["value"]


def test_a_sound_of_any_length_goes_through_its_picture_and_back(place, tmp_path):
    file = place / "data" / "3.wav"
    (row,) = see("edit", "vocoder", file, "--reconstruct", "-o", "again.wav", "--json").values
    assert row["manifest"]["edit"]["operation"] == "reconstruct"
    given, made = read_sound(file.read_bytes()), read_sound((tmp_path / "again.wav").read_bytes())
    assert abs(given.seconds - made.seconds) <= 0.016
    assert "reconstruct" in see("edit", "vocoder", file, "--go-on", code=2).messages
    assert "no prompt" in see("edit", "vocoder", file, "--prompt", "x", code=2).messages
    assert "from nothing" in see("generate", "vocoder", code=2).messages


def test_speech_sounds_as_a_vocoder_finds_and_says_which(place):
    model, vocoder = makar.load("voice"), makar.load("vocoder")
    plain = model.generate("low high", options={"steps": 2})[0]
    (through,) = model.generate("low high", options={"steps": 2, "vocoder": "vocoder"})
    assert through.manifest["vocoder"] == {"name": "vocoder", "hash": vocoder.hash} and "vocoder" not in plain.manifest
    assert not np.array_equal(plain.content.samples, through.content.samples)
    assert abs(plain.content.seconds - through.content.seconds) < 0.02


def test_a_vocoder_that_does_not_fit_is_refused(place):
    words = ["generate", "voice", "low", "--steps", "2"]
    assert "finds no sound of a picture" in see(*words, "--vocoder", "wavenet", code=2).messages
    assert "unknown model" in see(*words, "--vocoder", "nobody", code=2).messages
    assert "pictures of sounds" in see("generate", "wavenet", "--vocoder", "vocoder", code=2).messages
    data = place / "data"
    other = ["--set", "stages.0.codec.hop=256", "-o", "slow"]
    see("train", data, "--recipe", "vocoder", "--steps", "1", *TINY, *other)
    assert "stages.0.codec.hop=128" in see(*words, "--vocoder", "slow", code=2).messages
