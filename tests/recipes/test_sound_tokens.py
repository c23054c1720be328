"""Music as tokens goes through the verbs, in three designs: train, generate, go on, along a melody, evaluate; the rest is refused."""

import numpy as np
import pytest

import makar
from makar.api.model import verify
from makar.data.builtin.effects import effect
from makar.data.sound_reader import read_sound
from makar.data.wave_file import wave_bytes
from makar.evaluation.material import gather
from makar.evaluation.sound_tokens import token_scores, told
from makar.recipe import Recipe
from makar.recipes.sound_tokens import (
    jukebox,
    jukebox_lyrics,
    musicgen,
    musiclm,
    size_sound_transformer,
    sound_transformer_for,
    sound_vqvae,
)
from makar.tensor_spec import SOURCE, TARGET
from tests.cli.small_models import see

RECIPES = [sound_vqvae, musicgen, jukebox, jukebox_lyrics, musiclm]
KEYS = ("C major", "G minor", "F# major", "Bb minor")


def tiny(recipe):
    """Return settings that make every stage of a recipe small."""
    found = []
    for index, stage in enumerate(recipe().stages):
        sizes = ("features=16",) if stage.family.kind == "sound-vqvae" else ("width=32", "depth=1", "heads=1")
        found += [f"stages.{index}.family.{size}" for size in sizes] + [f"stages.{index}.optimisation.batch_size=4"]
    return [word for setting in found for word in ("--set", setting)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tunes")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    for kind in ("bell", "beep"):
        for number in range(16):
            file = folder / "data" / ("test" if number < 8 else "train") / kind / f"{number}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(wave_bytes(effect(kind, number)))
            file.with_suffix(".txt").write_text(f"{kind} {number} in {KEYS[number % 4]}", encoding="utf-8")
    for recipe in (sound_vqvae, musicgen, jukebox):
        name = recipe().name
        see("train", folder / "data", "--recipe", name, "--steps", "3", *tiny(recipe), "-o", name)
    patch.undo()
    return folder


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(trained / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.wav").write_bytes(wave_bytes(effect("bell", 20)))
    return trained


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_survive_json_and_learn_codes_before_what_writes_them(recipe):
    made = recipe()
    assert Recipe.from_dictionary(made.to_dictionary()) == made
    for stage in made.stages:
        for name in stage.codec.components[:1]:
            worked = next(other for other in made.stages if other.name == name)
            wanted = stage.family.accepts()[SOURCE if stage.codec.kind == "embedded" else TARGET]
            known = worked.family.accepts()[TARGET] if stage.codec.kind == "embedded" else worked.family.latents()
            assert wanted == known


def test_more_compute_gives_a_larger_decoder_and_little_data_a_small_one():
    family = musicgen().stages[1].family
    powers = [10.0**exponent for exponent in (12, 13, 14)]
    counts = [sound_transformer_for(family, operations=power, sounds=100_000)[0].parameter_count() for power in powers]
    assert counts == sorted(counts) and counts[-1] > 3 * counts[0]
    few, many = (sound_transformer_for(family, operations=1e15, sounds=count)[0] for count in (50, 50_000))
    assert few.parameter_count() < many.parameter_count()
    sized, optimisation = size_sound_transformer(
        musicgen().stages[1], operations=1e10, items=1, spec=musicgen().stages[1].family.accepts()
    )
    assert sized.codes == 256 and optimisation.batch_size >= 8


@pytest.mark.parametrize("recipe", [musicgen, jukebox, musiclm])
def test_every_stage_is_planned_before_anything_is_trained(place, recipe):
    name = recipe().name
    plan = see("plan", place / "data", "--recipe", name, "--for", "2m", "--no-probe", "--json").values
    stages = plan["recipe"]["stages"]
    assert [stage["name"] for stage in stages] == [stage.name for stage in recipe().stages]
    # Two classes where they are learned, 128 bands, and a guide wherever the design has one.
    assert stages[-1]["family"]["source_codes"] > 0 and stages[-1]["family"]["classes"] == (
        2 if recipe is jukebox else 0
    )
    assert stages[-2 if recipe is musicgen else 1]["family"]["rows"] == 128


def test_described_music_is_made_as_long_as_asked_for_and_signed(place, tmp_path):
    made = see("generate", "musicgen", "bell 3 in C major", "-n", "2", "-o", "out", "--json").values
    assert made[0]["manifest"]["content"]["kind"] == "sound" and made[0]["novelty"]["measure"] == "distance_ratio"
    assert verify(tmp_path / "out" / "0001.wav").is_intact
    model = makar.load("musicgen")
    first, again = (model.generate("a beep", seed=3)[0].content for _ in range(2))
    assert first.wave == again.wave
    codec = model.artifact.codec()
    drawn = {
        seconds: model.generate("a beep", seed=3, options={"seconds": seconds})[0].content.seconds
        for seconds in (0.3, 2.5)
    }
    # What is silent at the end is cut off.
    assert drawn[0.3] <= 0.4 < codec.plain.config.seconds < 2.0 and drawn[2.5] <= 2.6
    assert drawn[2.5] > codec.plain.config.seconds


def test_a_sound_goes_on_and_what_was_there_stays(place, tmp_path):
    given = effect("bell", 20)
    made = see(
        "edit", "musicgen", "given.wav", "--go-on", "--prompt", "bell in C major", "-o", "on.wav", "--json"
    ).values
    assert made[0]["manifest"]["edit"]["operation"] == "go on" and "composite" in made[0]["manifest"]["source_type"]
    back = read_sound((tmp_path / "on.wav").read_bytes())
    assert np.array_equal(back.samples[: len(given.samples)], given.samples) and back.rate_hz == given.rate_hz
    see("edit", "jukebox", "given.wav", "--go-on", "--label", "bell", "-o", "other.wav")
    assert len(read_sound((tmp_path / "other.wav").read_bytes()).samples) >= len(given.samples)


def test_a_melody_is_followed_and_a_sound_varied_and_rebuilt(place, tmp_path):
    made = see("edit", "musicgen", "given.wav", "--control", "--prompt", "a beep", "-o", "melody.wav", "--json").values
    assert (
        made[0]["manifest"]["edit"]["operation"] == "control" and "composite" not in made[0]["manifest"]["source_type"]
    )
    assert (
        see("edit", "jukebox", "given.wav", "-o", "varied.wav", "--json").values[0]["manifest"]["edit"]["operation"]
        == "vary"
    )
    made = see("edit", "sound-vqvae", "given.wav", "--reconstruct", "-o", "rebuilt.wav", "--json").values
    assert made[0]["manifest"]["edit"]["operation"] == "reconstruct"
    assert {path.name for path in tmp_path.glob("*.wav")} == {"given.wav", "melody.wav", "varied.wav", "rebuilt.wav"}


@pytest.mark.parametrize(
    "words, message",
    [
        (("generate", "sound-vqvae"), "no new ones"),
        (("edit", "sound-vqvae", "given.wav", "--go-on"), "only rebuilds"),
        (("edit", "musicgen", "given.wav", "--from-second", "0.1", "--to-second", "0.2"), "beginning to end"),
        (("edit", "musicgen", "given.wav", "--reconstruct"), "cannot reconstruct"),
        (("edit", "jukebox", "given.wav", "--control"), "cannot control"),
        (("generate", "jukebox", "--label", "drum"), "drum"),
    ],
)
def test_what_a_model_of_tokens_cannot_do_is_refused(place, words, message):
    assert message in see(*words, "-o", "x.wav", code=2).messages


def test_a_class_is_asked_for_in_both_stages(place):
    model = makar.load("jukebox")
    (first,) = model.generate(options={"label": "bell"}, seed=1)
    (again,) = model.generate("bell", seed=1)
    assert first.content.wave == again.content.wave and first.manifest["settings"]["label"] == "bell"
    assert model.artifact.codec().class_names == ("beep", "bell")


def test_an_autoencoder_of_sounds_is_measured(place):
    report = see("evaluate", "sound-vqvae", "--samples", "8", "-o", "report", "--json").values
    scores = report["scores"]
    assert {"codebook_usage", "codebook_perplexity", "loudness_difference"} == set(scores)
    assert (
        "mean of every band" in scores["loudness_difference"]["baselines"]
        and 0 < scores["codebook_usage"]["value"] <= 1
    )


@pytest.mark.parametrize("name", ["musicgen", "jukebox"])
def test_codes_in_use_keys_and_copied_runs_are_measured(place, tmp_path, monkeypatch, name):
    artifact = makar.load(name).artifact
    material = gather(
        artifact, None, folder=tmp_path, encoded_in=None, seed=0, samples=4, inception=None, on_event=lambda event: None
    )
    assert "class" not in material.held_out.columns and "caption" not in material.held_out.columns
    whole = told(material)
    assert {"class", "caption"} & set(whole.held_out.columns) == {"class" if name == "jukebox" else "caption"}
    scores = {score.key: score for score in token_scores(material)}
    keys = {"key_tonic", "key_mode"} if name == "musicgen" else set()
    assert set(scores) == {"codebook_usage", "codebook_perplexity", "longest_copied_run"} | keys
    assert 0 < scores["codebook_usage"].interval.value <= 1 and scores["longest_copied_run"].baselines
    if keys:
        beside = dict(scores["key_tonic"].baselines)
        assert set(beside) == {"chance", "captions of others", "real sounds"} and beside["chance"].value == 1 / 12
    # What only one part has would be asked of the other in vain.
    monkeypatch.setattr("makar.evaluation.sound_tokens.token_store", lambda material, split: None)
    whole.train.columns = {"target": whole.train.columns["target"]}
    assert set(told(whole).held_out.columns) == {"target"}


@pytest.mark.slow
def test_models_of_tokens_are_measured(place):
    report = see("evaluate", "musicgen", "--samples", "8", "-o", "report", "--json").values
    assert {"codebook_usage", "key_tonic", "key_mode", "longest_copied_run", "fid", "agreement_first"} <= set(
        report["scores"]
    )
    assert "captions of others" in report["scores"]["key_tonic"]["baselines"]
    report = see("evaluate", "jukebox", "--samples", "8", "-o", "second", "--json").values
    assert {"codebook_usage", "longest_copied_run", "classification_accuracy"} <= set(report["scores"])


@pytest.mark.slow
def test_what_is_played_is_written_before_how_it_sounds(place):
    see("train", place / "data", "--recipe", "musiclm", "--steps", "3", *tiny(musiclm), "-o", "musiclm")
    first = makar.load("musiclm").generate("bell in C major", seed=1)[0]
    assert first.content.seconds > 0
    assert (
        see("edit", "musiclm", "given.wav", "-o", "v.wav", "--json").values[0]["manifest"]["edit"]["operation"]
        == "vary"
    )


def test_songs_are_planned_with_their_words_and_without_words_the_recipe_is_refused(place, tmp_path):
    plan = see("plan", place / "data", "--recipe", "jukebox-lyrics", "--for", "1m", "--no-probe", "--json").values
    stages = plan["recipe"]["stages"]
    assert [stage["family"].get("lyric_units") for stage in stages] == [None, None, 41, 41]
    assert stages[2]["family"]["lyric_frames"] == stages[3]["family"]["lyric_frames"]
    wordless = tmp_path / "wordless"
    for kind in ("bell", "beep"):
        for number in range(4):
            file = wordless / kind / f"{number}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(wave_bytes(effect(kind, number)))
    message = see("plan", wordless, "--recipe", "jukebox-lyrics", "--for", "1m", "--no-probe", code=2).messages
    assert "needs the words of songs" in message


@pytest.mark.slow
def test_words_are_sung_by_every_verb(place, tmp_path, monkeypatch):
    see("train", place / "data", "--recipe", "jukebox-lyrics", "--steps", "3", *tiny(jukebox_lyrics), "-o", "singer")
    made = see("generate", "singer", "--label", "bell", "--set", "lyrics=bell in C", "-o", "sung.wav", "--json").values
    assert made[0]["manifest"]["settings"]["lyrics"] == "bell in C" and verify(tmp_path / "sung.wav").is_intact
    model = makar.load("singer")

    def sung(**options):
        return model.generate("bell", seed=3, options=options)[0].content.wave

    assert sung(lyrics="bell in C") == sung(lyrics="bell in C") != sung(lyrics="beep") != sung()
    see("edit", "singer", "given.wav", "--go-on", "--set", "lyrics=bell", "-o", "on.wav")
    see("edit", "singer", "given.wav", "--set", "lyrics=bell", "-o", "varied.wav")
    for words, message in (("lyrics=<00:01.00>bell", "words with times"), ("lyrics=...", "is spoken")):
        assert message in see("generate", "singer", "--set", words, "-o", "x.wav", code=2).messages
    assert "learned none" in see("generate", "jukebox", "--set", "lyrics=bell", "-o", "x.wav", code=2).messages
    scores = see("evaluate", "singer", "--samples", "4", "-o", "report", "--json").values["scores"]
    assert [name for name, _ in scores["words_heard"]["baselines"].items()] == ["chance", "real songs"]
