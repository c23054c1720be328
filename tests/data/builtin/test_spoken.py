"""Speech that is made on the spot: the same each time, as many sentences and voices as asked, with the true times of its phones."""

import itertools
import shutil

import numpy as np
import pytest

import makar
from makar.data.builtin.flite import said
from makar.data.builtin.spoken import SpokenSource
from makar.data.builtin.spoken_sentences import COMMANDS, jsgf, sentences
from makar.data.dataset import open_dataset
from makar.data.fingerprint import fingerprint_of
from makar.data.phones import PHONES
from makar.errors import ConfigError, UnknownNameError, UnsupportedError, UsageError

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed")


def ignore(source, reason):
    del source, reason


def test_sentences_differ_and_a_third_are_commands():
    made = sentences(300, seed=3)
    assert made == sentences(300, seed=3) != sentences(300, seed=4)
    assert len(set(made)) == 300
    commands = [text for text in made if all(word in row for word, row in zip(text.split(), COMMANDS))]
    assert len(commands) == 100 and all(len(text.split()) == 6 for text in commands)
    assert all(word in jsgf() for text in commands for word in text.split())
    assert all(text[0].isupper() and text[-1] in ".?" and "{" not in text for text in set(made) - set(commands))


@needs_flite
def test_a_text_is_said_the_same_each_time_with_its_phones():
    first, again, other = (said("The boat sailed.", voice=voice) for voice in ("rms", "rms", "kal16"))
    assert first == again != other
    assert [name for name, _ in first.phones] == ["pau", "dh", "ax", "b", "ow", "t", "s", "ey", "l", "d", "pau"]
    for one in (first, other):
        assert one.sound.rate_hz == 16_000 and one.phones[-2][1] < one.sound.seconds
    assert first.phones[-1][1] == pytest.approx(first.sound.seconds, abs=0.006)
    # What is called a pause is silent, and the vowel of the boat is not.
    samples = first.sound.mono()
    ends = [0.0, *(end for _, end in first.phones)]
    levels = [np.abs(samples[round(a * 16_000) : round(b * 16_000)]).mean() for a, b in itertools.pairwise(ends)]
    assert max(levels[0], levels[-1]) < 0.1 * levels[4]


@needs_flite
def test_the_corpus_has_the_sentences_voices_and_times_that_were_asked_for():
    dataset = open_dataset("builtin:spoken:sentences=20,voices=slt+awb,seed=2")
    found = dataset.inspection
    assert (found.documents, found.captions, found.times) == (20, 20, {"recordings": 20, "phones": 20})
    assert found.labels == {"awb": 10, "slt": 10} and "slt, awb of flite" in found.notes[0]
    record = next(dataset.records("train"))
    assert record.times is not None and {one.label for one in record.times.phones} <= set(PHONES)
    assert record.times.phones[-1].end == pytest.approx(record.content.seconds, abs=0.006)
    assert [document.caption for document in SpokenSource("sentences=20,seed=2").documents(ignore)] == sentences(
        20, seed=2
    )
    # One voice is no label, and what the recordings follow from is their fingerprint.
    assert next(SpokenSource("sentences=20").documents(ignore)).label is None
    options = ("", ":sentences=20,seed=2", ":sentences=20,seed=2,voices=slt+awb", ":sentences=20,seed=2,voices=awb+slt")
    marks = [fingerprint_of(f"builtin:spoken{text}", medium="sound") for text in options]
    assert len(set(marks)) == 4 and marks[2] == dataset.fingerprint
    assert makar.plan(dataset, steps=2, probe=False).recipe.name == "speech-voices"


@needs_flite
@pytest.mark.parametrize(
    "options, error, said_of_it",
    [
        ("voices=rmz", UnknownNameError, 'did you mean "rms"'),
        ("voices=rms+rms", ConfigError, "different voices"),
        ("sentences=2", ConfigError, "at least 20"),
        ("sentences=many", ConfigError, "of type int"),
        ("voice=rms", UnknownNameError, 'did you mean "voices"'),
        ("sentences", ConfigError, "sets nothing"),
    ],
)
def test_options_that_cannot_be_are_refused(options, error, said_of_it):
    with pytest.raises(error) as refused:
        open_dataset(f"builtin:spoken:{options}")
    assert said_of_it in str(refused.value)


def test_other_built_in_data_has_no_options():
    with pytest.raises(UsageError, match="which has none"):
        open_dataset("builtin:digits:sentences=20")


def test_without_flite_the_package_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(UnsupportedError, match="flite") as refused:
        open_dataset("builtin:spoken")
    assert refused.value.do.startswith("apt-get install flite")
