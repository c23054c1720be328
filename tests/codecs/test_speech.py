"""Speech: units of a text, when each is spoken, how long it lasts; frames are told what is spoken in them."""

import shutil

import numpy as np
import pytest

from makar.codecs.alignment import STATES, Aligner, features_of, learned_aligner
from makar.codecs.codec import fit_codec
from makar.codecs.durations import Durations, learned_durations
from makar.codecs.prosody import Manner
from makar.codecs.speech_config import SpeechCodecConfig, choose_spoken_codec
from makar.codecs.units import KINDS, LETTERS, number_words, units_of
from makar.data.phones import PAUSE
from makar.data.sound import Sound
from makar.errors import ArtifactError, ConfigError, DataError, EmptyDataError, UnsupportedError, UsageError
from tests.codecs.test_sound import record
from tests.recipes.spoken_data import sentence, spoken

CONFIG = SpeechCodecConfig(rate_hz=8000, hop=128, mels=64, frames=160, units="letters")
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed")
NUMBERS = {unit: number for number, unit in enumerate(LETTERS)}


def records(count=24, **values):
    made = []
    for number in range(count):
        sound, _ = spoken(sentence(number), seed=number)
        made.append(record(sound, number=number, label="ab"[number % 2], caption=sentence(number)))
    return made


@pytest.fixture(scope="module")
def codec():
    return fit_codec(CONFIG, iter(records()))


def order_of(text):
    return np.array([NUMBERS[unit] for unit in units_of(text, "letters")])


def test_letters_stand_between_pauses():
    assert units_of("Hi, Bob!", "letters") == (PAUSE, "h", "i", PAUSE, "b", "o", "b", PAUSE)
    assert "".join(units_of("Café 21", "letters")[1:-1]) == "cafe twenty one"
    assert units_of("it\u2019s", "letters") == (PAUSE, *"it's", PAUSE)


@pytest.mark.parametrize(
    "text, said",
    [
        ("1,000 people", "one thousand people"),
        ("3.5 metres", "three point five metres"),
        ("10.05", "ten point zero five"),
        ("1, 20", "onepautwenty"),
        ("in 1999.", "in one thousand nine hundred ninety nine"),
        ("1234,567", "one thousand two hundred thirty fourpaufive hundred sixty seven"),
        ("1,234,567.89", "one million two hundred thirty four thousand five hundred sixty seven point eight nine"),
        ("12345678901234", "one two three four five six seven eight nine zero one two three four"),
        ("1.2.3", "onepautwopauthree"),
    ],
)
def test_numbers_are_said_as_they_are_read(text, said):
    assert "".join(units_of(text, "letters")[1:-1]) == said


@pytest.mark.parametrize("text", ["", " ", "?!", "\u4f60\u597d", "--"])
def test_a_text_without_words_is_refused(text):
    with pytest.raises(UsageError, match="spoken"):
        units_of(text, "letters")


def test_a_text_without_end_is_refused():
    with pytest.raises(UsageError, match="characters"):
        units_of("la " * 5000, "letters")


def test_numbers_are_words():
    assert number_words(0) == "zero" and number_words(1999) == "one thousand nine hundred ninety nine"


@needs_flite
def test_phones_are_those_of_flite():
    assert units_of("The boat sailed.", "phones") == ("pau", "dh", "ax", "b", "ow", "t", "s", "ey", "l", "d", "pau")
    assert units_of("42", "phones")[1:-1] == ("f", "ao", "r", "t", "iy", "t", "uw")
    assert units_of("-v --help; $(rm)", "phones")[0] == PAUSE
    assert set(KINDS["phones"]) > set(units_of("A quick brown fox.", "phones"))


def test_phones_without_flite_name_the_package(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UnsupportedError) as caught:
        units_of("nobody has said this before", "phones")
    assert "apt-get install flite" in caught.value.do


def test_units_are_found_where_they_are_spoken():
    sounds = [spoken(sentence(number), seed=number) for number in range(40)]
    orders = [order_of(sentence(number)) for number in range(40)]
    features = [features_of(sound) for sound, _ in sounds]
    aligner = learned_aligner(features, orders, units=len(LETTERS))
    errors = [
        np.abs(aligner.ends(part, order) - ends)[:-1]
        for part, order, (_, ends) in zip(features, orders, sounds, strict=True)
    ]
    assert np.concatenate(errors).mean() < 0.012
    # The twin: an even division is twice as far away.
    even = [np.abs(np.linspace(0, ends[-1], len(ends) + 1)[1:] - ends)[:-1] for _, ends in sounds]
    assert np.concatenate(even).mean() > 2 * np.concatenate(errors).mean()


def test_the_search_finds_the_likeliest_division():
    # Three states with a value each: every division is tried.
    draw = np.random.default_rng(0)
    aligner = Aligner(
        np.repeat(draw.normal(0, 9, (2 * STATES, 1)), 48, 1).astype(np.float32),
        np.full((2 * STATES, 48), 4, np.float32),
    )
    frames = draw.normal(0, 9, (9, 48)).astype(np.float32)
    order = np.array([1, 0])
    states = (STATES * order[:, None] + np.arange(STATES)).reshape(-1)
    costs = ((frames[:, None] - aligner.means[states]) ** 2 / 4).sum(2)
    best = min(
        (sum(costs[frame, np.searchsorted([a, b, c], frame, side="right")] for frame in range(9)), b)
        for a in range(1, 7) for b in range(a + 1, 8) for c in range(b + 1, 9)
    )  # fmt: skip
    assert round(aligner.ends(frames, order)[0] / 0.008) == best[1]


def test_more_units_than_frames_are_refused():
    sound, _ = spoken("low", seed=0)
    short = features_of(Sound(sound.samples[:400], sound.rate_hz))
    with pytest.raises(DataError, match="seconds for"):
        learned_aligner([features_of(sound)], [order_of("low")], units=len(LETTERS)).ends(
            short, order_of("high low " * 9)
        )
    with pytest.raises(DataError, match="long enough"):
        learned_aligner([short], [order_of("high low " * 9)], units=len(LETTERS))


def test_durations_follow_from_unit_and_neighbours():
    draw = np.random.default_rng(0)
    orders = [np.concatenate([[0], draw.integers(1, 5, 12), [0]]) for _ in range(200)]
    truth = [np.where(order == 3, 0.2, 0.05) * np.where(np.roll(order, 1) == 2, 2, 1) for order in orders]
    learned = learned_durations(orders, truth, units=5)
    test = np.array([0, 1, 3, 2, 3, 1, 0])
    assert np.abs(learned.seconds(test)[1:-1] / [0.05, 0.2, 0.05, 0.4, 0.05] - 1).max() < 0.15
    assert np.allclose(Durations.from_list(learned.to_list(), units=5).seconds(test), learned.seconds(test), rtol=1e-3)
    with pytest.raises(ArtifactError):
        Durations.from_list([1.0], units=5)


def test_frames_say_what_is_spoken_in_them(codec):
    sound, ends = spoken("high low", seed=99)
    slots = codec.encode(record(sound, caption="high low"))
    said = codec.to_model("source", slots["source"])
    assert said.shape == (CONFIG.source_planes, 1, 160) and said.min() >= 0 and said.max() <= 1
    units = [LETTERS[number] for number in said[: CONFIG.unit_planes, 0].argmax(0)]
    centres = np.arange(160) * 128 / 8000
    wanted = [
        ("pau", *"high low", "pau")[min(int(np.searchsorted(ends, centre, side="right")), 9)] for centre in centres
    ]
    assert np.mean([have == want for have, want in zip(units, wanted, strict=True)]) > 0.93
    assert codec.to_model("target", slots["target"]).shape == (64, 1, 160)


def test_a_new_text_lasts_as_long_as_its_recording_would(codec):
    for text in ("low high", "high high low"):
        (script,) = (told["source"] for told in codec.scripts(text))
        _, ends = spoken(text, seed=1234)
        speaking = (script[0, 0] < 0.5).sum() * 128 / 8000
        assert abs(speaking / (ends[-2] - ends[0]) - 1) < 0.25
        (fast,) = (told["source"] for told in codec.scripts(text, manner=Manner(speed=2.0)))
        assert (fast[0, 0] < 0.5).sum() < 0.65 * (script[0, 0] < 0.5).sum()


def test_a_long_text_is_parted_between_sentences_then_clauses_then_words(codec):
    assert len(codec.scripts("low high. high low.")) == 1
    parts = codec.scripts("low high low high. " * 6)
    assert len(parts) > 3
    assert len(codec.scripts("low high low, " * 8)) > 2 and len(codec.scripts("low high " * 30)) > 4
    with pytest.raises(UsageError, match="too long"):
        codec.scripts("lo" * 300)


def test_a_picture_becomes_sound(codec):
    slots = codec.encode(record(spoken("high low", seed=5)[0], caption="high low"))
    sound = codec.decode({"target": codec.to_model("target", slots["target"])})
    assert isinstance(sound, Sound) and 0.5 < sound.seconds < 1.5


def test_recordings_that_cannot_be_learned_from_are_left_out_and_counted():
    made = records(8)
    made += [record(made[0].content, number=90), record(made[1].content, number=91, caption="?"),
             record(Sound(np.tile(made[2].content.samples, (9, 1)), 8000), number=92, caption="low"),
             record(Sound(made[3].content.samples[:800], 8000), number=93, caption="high low high low high low")]  # fmt: skip
    codec = fit_codec(CONFIG, iter(made))
    assert "4 recordings" in codec.remarks()[0]
    assert [bool(codec.encode(one)) for one in made] == [True] * 8 + [False] * 4


def test_voices_are_told_apart():
    codec = fit_codec(CONFIG.changed(use_labels=True), iter(records(8)))
    assert codec.class_names == ("a", "b") and codec.spec["class"].vocabulary == 2
    assert int(codec.encode(records(2)[1])["class"]) == 1
    assert codec.counted(iter(records(2)[:1])).class_counts == {"a": 1, "b": 0}
    with pytest.raises(ConfigError, match="label"):
        fit_codec(CONFIG.changed(use_labels=True), iter([record(spoken("low", seed=0)[0], label=None, caption="low")]))


def test_without_words_nothing_is_fitted():
    with pytest.raises(EmptyDataError, match="words"):
        fit_codec(CONFIG, iter([record(spoken("low", seed=0)[0])]))


def test_the_data_choose_rate_and_length():
    chosen = choose_spoken_codec({"rates_hz": {"22050": 5}, "seconds": {"most_but_5%": 3.0}}, SpeechCodecConfig())
    assert (chosen.rate_hz, chosen.hop, chosen.mels, chosen.frames) == (16_000, 256, 80, 192)


def test_units_are_phones_where_flite_is(monkeypatch):
    monkeypatch.setattr("makar.codecs.speech.has_phones", lambda: False)
    assert fit_codec(CONFIG.changed(units="auto"), iter(records(4))).config.units == "letters"
