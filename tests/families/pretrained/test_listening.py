"""What checkpoints of others write down is what transformers itself writes, in one window and in many; what they cannot do is said."""

import base64
import json
import shutil

import numpy as np
import pytest
import transformers

from makar.api.model import load
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from makar.errors import ArtifactError, IntegrityError, UnsupportedError
from makar.families.family import build_family
from makar.families.pretrained.opening import quiet
from makar.families.pretrained.whisper import _stretches
from makar.generation.transcribing import transcribe
from makar.serving.places import place_of
from makar.serving.transcriptions import TranscriptionFields, _answered
from makar.serving.work import begin, facts_of
from tests.cli.small_models import see
from tests.families.pretrained.tiny_sounds import LANGUAGES, RATE, Saved
from tests.recipes.spoken_data import write_spoken


def babble(seconds, *, seed=0):
    """Return a sound that goes up and down, float32 ``[samples]``."""
    times = np.arange(round(seconds * RATE)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * (200 + 300 * np.sin(3 * times)) * times) * (0.5 + 0.5 * np.sin(7 * times))
    return (tone + np.random.default_rng(seed).normal(0, 0.02, len(times))).astype(np.float32)


def heard(folder, samples, *, language=None):
    return transcribe(load(folder).artifact, Sound(samples[:, None], RATE), language=language)


def theirs(folder, samples, **how):
    """Return the segments that transformers writes, and their language where they have one."""
    with quiet():
        network = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
        processor = transformers.WhisperProcessor.from_pretrained(folder)
        window = processor.feature_extractor.n_samples
        whole = {"truncation": False, "padding": "longest", "return_attention_mask": True}
        given = processor(samples, sampling_rate=RATE, return_tensors="pt", **({} if len(samples) <= window else whole))
        made = network.generate(**given, return_timestamps=True, return_segments=True, **how)["segments"][0]
    return [
        (round(float(one["start"]), 3), processor.decode(one["tokens"], skip_special_tokens=True).strip())
        for one in made
    ]


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("listeners")
    english = {"english": True, "moments": False}
    return Saved(place, whisper=("whisper", {}), english=("whisper", english), wav2vec2=("wav2vec2", {}))


@pytest.mark.parametrize("seconds, told", [(1.5, None), slow(1.5, "de"), (4.3, None), slow(7.3, None)])
def test_a_transcript_is_that_of_transformers(folders, seconds, told):
    found = heard(folders["whisper"], babble(seconds), language=told)
    asked = {"task": "transcribe"} | ({} if told is None else {"language": told})
    # In what fills up the window behind the end transformers goes on writing.
    wanted = [one for one in theirs(folders["whisper"], babble(seconds), **asked) if one[1] and one[0] < seconds]
    assert [(one["start"], one["text"]) for one in found["segments"]] == wanted and wanted
    assert found["language"] == (told or found["language"]) and found["language"] in LANGUAGES
    assert ("language_probability" in found) == (told is None)
    assert ("windows" in found) == (seconds > 2) and "words" not in found
    assert all(one["start"] <= one["end"] <= seconds for one in found["segments"])


@pytest.mark.slow
def test_the_language_changes_what_is_written_and_an_unknown_one_is_refused(folders):
    texts = {heard(folders["whisper"], babble(1.5), language=one)["text"] for one in LANGUAGES}
    assert len(texts) > 1
    with pytest.raises(UnsupportedError, match="the language 'xx'") as caught:
        heard(folders["whisper"], babble(1.5), language="xx")
    assert "de, en, gd" in caught.value.expected
    with pytest.raises(UnsupportedError, match="not told"):
        heard(folders["english"], babble(1.5), language="en")


@pytest.mark.slow
def test_a_checkpoint_without_moments_writes_one_segment_a_window(folders):
    found = heard(folders["english"], babble(3.0))
    assert found["windows"] == 2 and "language" not in found
    assert [one["start"] for one in found["segments"]] == [0.0, 2.0][: len(found["segments"])]
    with quiet():
        network = transformers.WhisperForConditionalGeneration.from_pretrained(folders["english"]).eval()
        processor = transformers.WhisperProcessor.from_pretrained(folders["english"])
        given = processor(babble(1.5), sampling_rate=RATE, return_tensors="pt")
        made = network.generate(**given, return_timestamps=False)
    wanted = processor.batch_decode(made, skip_special_tokens=True)[0]
    assert heard(folders["english"], babble(1.5))["text"] == wanted.strip()


def test_nothing_is_written_of_silence(folders):
    for name in ("whisper", "wav2vec2"):
        found = heard(folders[name], np.zeros(5 * RATE, np.float32))
        assert found["text"] == "" and found["segments"] == []


def test_long_recordings_are_cut_where_it_is_quiet(monkeypatch):
    monkeypatch.setattr("makar.families.pretrained.whisper.STRETCH_SECONDS", 4.0)
    samples = babble(9.0)
    samples[round(3.2 * RATE) : round(3.6 * RATE)] = 0
    parts = list(_stretches(samples, RATE, 2 * RATE))
    assert np.array_equal(np.concatenate([part for _, part in parts]), samples)
    assert 3.2 * RATE < parts[1][0] < 3.6 * RATE and max(len(part) for _, part in parts) <= 4 * RATE


def test_letters_are_those_of_transformers_and_words_have_times(folders):
    samples = babble(2.5)
    found = heard(folders["wav2vec2"], samples)
    with quiet():
        network = transformers.Wav2Vec2ForCTC.from_pretrained(folders["wav2vec2"]).eval()
        processor = transformers.Wav2Vec2Processor.from_pretrained(folders["wav2vec2"])
        given = processor(samples, sampling_rate=RATE, return_tensors="pt")
        wanted = processor.batch_decode(network(**given).logits.argmax(-1))[0]
    assert (
        found["text"].split() == wanted.split() == [one["word"] for one in found["words"]] and len(wanted.split()) > 2
    )
    assert all(one["start"] < one["end"] for one in found["words"])
    starts = [one["start"] for one in found["words"]]
    assert starts == sorted(starts) and starts[-1] < 2.5


def test_letters_in_overlapping_windows_are_those_of_the_whole(folders):
    family = load(folders["wav2vec2"]).artifact.family()
    sound = Sound(babble(2.0)[:, None], RATE)
    whole = family.hear(sound)
    family.config = family.config.changed(seconds=0.9)
    parts = family.hear(sound)
    assert whole.windows == 1 and parts.windows == 3 and whole.chances.shape == parts.chances.shape
    agree = (whole.chances.argmax(1) == parts.chances.argmax(1)).mean()
    assert agree > 0.7


@pytest.mark.slow
def test_the_shell_predicts_and_measures_and_says_how_many_windows(folders, tmp_path):
    (tmp_path / "long.wav").write_bytes(wave_bytes(Sound(babble(3.0)[:, None], RATE)))
    seen = see("predict", folders["whisper"], tmp_path / "long.wav", "--language", "de")
    assert "heard in" in seen.messages
    (row,) = see("predict", folders["whisper"], tmp_path / "long.wav", "--json").values
    assert row["what"] == "transcript" and row["segments"] and row["windows"] > 1
    write_spoken(tmp_path / "data", count=3)
    see("evaluate", folders["wav2vec2"], tmp_path / "data", "-o", tmp_path / "report")
    scores = json.loads((tmp_path / "report" / "report.json").read_text())["scores"]
    assert scores["word_error"]["value"] > 0.5 and scores["letter_error"]["baselines"]
    assert "writes down speech" in see("generate", folders["whisper"], "hello", code=2).messages
    assert (
        "not told any"
        in see("predict", folders["wav2vec2"], tmp_path / "long.wav", "--language", "de", code=2).messages
    )


def test_a_worker_tells_the_language_where_it_can(folders):
    sound = wave_bytes(Sound(babble(1.5)[:, None], RATE))
    ask = {"do": "transcribe", "sound": base64.b64encode(sound).decode()}
    for name in ("whisper", "wav2vec2"):
        model = load(folders[name])
        assert facts_of(model, {})["predictions"] == ["transcript"]
        (event,) = begin(model, {**ask, "language": "de"}, print)
        assert event.get("language") == ("de" if name == "whisper" else None)
        assert ("words" in event) == (name == "wav2vec2")
        fields = TranscriptionFields(response_format="verbose_json")
        if name == "wav2vec2":
            assert b'"words"' in _answered(event, fields, {"word"}, {}).body
            continue
        with pytest.raises(UnsupportedError, match="times of words"):
            _answered(event, fields, {"word"}, {})
        said = json.loads(_answered(event, fields, {"segment"}, {}).body)
        assert said["language"] == "de" and 0 < said["segments"][0]["no_speech_prob"] < 1
        assert place_of(str(folders[name])).medium == "sound"


@pytest.mark.parametrize(
    "name, file, changes, message",
    [
        ("whisper", "preprocessor_config.json", {"n_fft": 1 << 40}, "n_fft"),
        slow("whisper", "preprocessor_config.json", {"chunk_length": 30}, "two frames a position"),
        slow("whisper", "preprocessor_config.json", None, "how samples are prepared"),
        slow("whisper", "generation_config.json", {"suppress_tokens": [1 << 30]}, "special tokens"),
        ("wav2vec2", "config.json", {"add_adapter": True}, "Wav2Vec2ForCTC"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_refused(folders, tmp_path, name, file, changes, message):
    folder = tmp_path / "changed"
    shutil.copytree(folders[name], folder)
    if changes is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | changes))
    with pytest.raises((ArtifactError, UnsupportedError, IntegrityError)) as caught:
        heard(folder, babble(1.0))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "field, value",
    [
        ("base", "0" * 64),
        ("architecture", "VitsModel"),
        ("rate_hz", 8000),
        ("channels", 2),
        ("weights", 1),
        ("task", "letters"),
        ("seconds", 9.0),
    ],
)
def test_a_configuration_that_describes_another_checkpoint_is_found(folders, field, value):
    config = load(folders["whisper"]).artifact.family_config
    assert (config.architecture, config.rate_hz, config.seconds) == ("WhisperForConditionalGeneration", RATE, 2.0)
    with pytest.raises((ArtifactError, IntegrityError), match=r"is not on this machine|says of its base"):
        build_family(config.changed(**{field: value}))
