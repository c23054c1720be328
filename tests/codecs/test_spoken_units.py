"""Times beside recordings take the place of the search: to the unit where phones have times, within its word where words have."""

import dataclasses

import numpy as np
import pytest

from makar.codecs.alignment import features_of, learned_aligner
from makar.codecs.codec import fit_codec
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.spoken_units import spoken_by_times
from makar.codecs.units import KINDS, LETTERS
from makar.data.phones import PHONES
from makar.data.spoken_times import SpokenTimes, Stretch
from tests.codecs.test_sound import record
from tests.recipes.spoken_data import sentence, spoken

CONFIG = SpeechCodecConfig(rate_hz=8000, hop=128, mels=64, frames=160, units="letters")
NUMBERS = {kind: {unit: number for number, unit in enumerate(units)} for kind, units in KINDS.items()}
STAND_INS = {"l": "l", "o": "ow", "w": "w", "h": "hh", "i": "ay", "g": "g"}


def stretches(*parts):
    return tuple(Stretch(start, end, label, line) for line, (start, end, label) in enumerate(parts, 1))


def word_times(text, ends):
    """Return when the words of a made-up recording are spoken; the first of the ends is that of the silence before."""
    found, place = [], 0
    for word in text.split():
        found.append((ends[place], ends[place + len(word)], word))
        place += len(word) + 1
    return SpokenTimes(source="a.tsv", words=stretches(*found))


def phone_times(text, ends):
    """Return when the letters of one are spoken, each called by a phone."""
    labels = ["pau" if letter == " " else STAND_INS[letter] for letter in text]
    return SpokenTimes(source="a.lab", phones=stretches(*zip(ends, ends[1:], labels)))


def made(number, times_of=None):
    sound, ends = spoken(sentence(number), seed=number)
    found = record(sound, number=number, caption=sentence(number))
    return (found if times_of is None else dataclasses.replace(found, times=times_of(sentence(number), ends))), ends


def told(codec, slots):
    """Return which unit each frame is told to be."""
    return codec.to_model("source", slots["source"])[: codec.config.unit_planes, 0].argmax(0)


def in_frames(order, ends):
    """Return the same of known times."""
    centres = np.arange(CONFIG.frames) * CONFIG.hop / CONFIG.rate_hz
    return np.append(order, 0)[np.searchsorted(ends, centres, side="right").clip(max=len(order))]


def test_with_times_of_phones_frames_are_told_just_these():
    records = [made(number, phone_times)[0] for number in range(12)]
    codec = fit_codec(CONFIG.changed(units="phones"), iter(records))
    assert codec.remarks() == ("12 recordings came with times: when what is spoken in them was not searched for",)
    one, ends = made(99, phone_times)
    units = ["pau", *("pau" if letter == " " else STAND_INS[letter] for letter in one.caption), "pau"]
    order = np.array([NUMBERS["phones"][unit] for unit in units])
    # No text is needed: what is spoken is what has times.
    slots = codec.encode(dataclasses.replace(one, caption=None))
    assert np.array_equal(told(codec, slots), in_frames(order, ends))


def test_with_times_of_words_no_search_leaves_a_word():
    draw = np.random.default_rng(0)
    sounds = [spoken(sentence(number), seed=number) for number in range(16)]
    every = [spoken_by_times(word_times(sentence(number), ends), "letters", NUMBERS["letters"], seconds=sound.seconds)
             for number, (sound, ends) in enumerate(sounds)]  # fmt: skip
    features = [features_of(sound) for sound, _ in sounds]
    parts = [part for one, whole in zip(every, features, strict=True) for part in one.parts(whole)]
    aligner = learned_aligner(parts, [span.order for one in every for span in one.spans], units=len(LETTERS))
    errors = []
    for one, whole, (_, ends) in zip(every, features, sounds, strict=True):
        assert len(one.order) == len(ends)
        found = one.ends(aligner, whole)
        assert (np.diff(found) >= 0).all()
        edges = {round(span.end, 9) for span in one.spans}
        assert edges <= {round(end, 9) for end in found}
        errors.append(np.abs(found - ends))
    assert np.concatenate(errors).mean() < 0.008
    # An aligner that knows nothing still keeps to the words.
    blind = dataclasses.replace(aligner, means=draw.normal(-30, 9, aligner.means.shape).astype(np.float32))
    far = np.concatenate(
        [np.abs(one.ends(blind, whole) - ends) for one, whole, (_, ends) in zip(every, features, sounds)]
    )
    assert far.max() < 0.25


def test_times_are_left_aside_where_they_are_not_wanted_or_say_nothing():
    with_times = [made(number, word_times)[0] for number in range(12)]
    without = [made(number)[0] for number in range(12)]
    phones = [made(number, phone_times)[0] for number in range(12)]
    given, searched, none, useless = (
        fit_codec(config, iter(records))
        for config, records in (
            (CONFIG, with_times), (CONFIG.changed(use_times=False), with_times), (CONFIG, without), (CONFIG, phones),
        )
    )  # fmt: skip
    assert searched.files() == none.files() != given.files()
    assert given.remarks() and not searched.remarks()
    assert useless.remarks() == (
        "12 recordings came with times of phones, which say nothing of letters: they were searched",
    )
    ends = [one.encode(without[0])["source"] for one in (none, useless)]
    assert np.array_equal(*ends)


def test_recordings_with_and_without_times_are_learned_together():
    records = [made(number, word_times if number % 2 else None)[0] for number in range(16)]
    codec = fit_codec(CONFIG, iter(records))
    assert codec.remarks()[0].startswith("8 recordings came with times")
    one, ends = made(99)
    order = np.array([NUMBERS["letters"][unit] for unit in ("pau", *one.caption, "pau")])
    assert np.mean(told(codec, codec.encode(one)) == in_frames(order, ends)) > 0.9


@pytest.mark.parametrize(
    "kind, words, wanted",
    [
        # A short gap is a space, a long one a pause; phones have no spaces, and what is no word is silence.
        (
            "letters",
            [(0.2, 0.4, "low"), (0.45, 0.6, "hi"), (0.8, 1.0, "lo")],
            ["pau", *"low", " ", *"hi", "pau", *"lo"],
        ),
        ("letters", [(0.0, 0.4, "low"), (0.4, 0.6, "hi"), (0.6, 1.0, "")], [*"low", " ", *"hi", "pau"]),
        ("letters", [(0.2, 0.4, "low"), (0.5, 0.6, "?!"), (0.7, 1.0, "hi")], ["pau", *"low", "pau", *"hi"]),
    ],
)
def test_gaps_between_words(kind, words, wanted):
    times = SpokenTimes(source="a.tsv", words=stretches(*words))
    found = spoken_by_times(times, kind, NUMBERS[kind], seconds=1.0)
    assert [KINDS[kind][number] for number in found.order] == wanted and found.spans[-1].end == 1.0


def test_what_is_rounded_off_between_phones_belongs_to_the_one_before():
    phones = stretches((0.1, 0.3, "b"), (0.31, 0.5, "iy"), (0.5, 0.7, "pau"), (0.8, 1.04, "b"))
    found = spoken_by_times(SpokenTimes(source="a.lab", phones=phones), "phones", NUMBERS["phones"], seconds=1.0)
    assert [PHONES[span.order[0]] for span in found.spans] == ["pau", "b", "iy", "pau", "b"]
    assert [span.end for span in found.spans] == [0.1, 0.31, 0.5, 0.8, 1.0]
