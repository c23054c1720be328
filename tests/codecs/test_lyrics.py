"""Words of songs: times are read, units found between them, new words sung at the pace of the songs, what cannot be sung is refused."""

import shutil

import numpy as np
import pytest

from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.lyrics import Listener, frame_units, stretches_of
from makar.codecs.sound_config import LYRIC_UNITS, SoundCodecConfig
from makar.codecs.units import KINDS
from makar.data.builtin.songs import song
from makar.data.record import Record
from makar.data.sound import Sound
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.tensor_spec import LYRICS, TARGET

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed")
CONFIG = SoundCodecConfig(frames=256, use_labels=True, use_lyrics=True)
LETTERS = KINDS["letters"]
BANDS = {"a": 400.0, "b": 1500.0, "pau": 0.0}


def record(words, sound, *, number=0):
    return Record(
        id=f"{number:016d}", medium="sound", content=sound, document=str(number), source=str(number), split="train",
        label="a", caption=words,
    )  # fmt: skip


def spelled(parts):
    """Return a sound in which every letter is a tone of its own: (letter, seconds)."""
    pieces = [np.sin(2 * np.pi * BANDS[name] * np.arange(round(seconds * 16_000)) / 16_000) for name, seconds in parts]
    return Sound((0.3 * np.concatenate(pieces)).astype(np.float32)[:, None], 16_000)


def names(stretches):
    return [(round(one.start, 2), [LETTERS[number] for number in one.order]) for one in stretches]


def test_times_before_words_and_lines_are_read():
    timed = "<00:00.50>ab <00:01.20>ba, <00:02.00>"
    found = names(stretches_of(timed, "letters", seconds=3.0))
    assert found == [(0.0, ["pau"]), (0.5, ["a", "b"]), (1.2, ["b", "a"]), (2.0, ["pau"])]
    # A pause of no length is none, lines of several words have pauses of their own, and tags say nothing that is sung.
    lines = "[ar:Somebody]\n[00:00.00]ab ba\n[00:01:50]ab"
    found = names(stretches_of(lines, "letters", seconds=2.0))
    assert found == [(0.0, ["pau", "a", "b", " ", "b", "a", "pau"]), (1.5, ["a", "b"])]
    assert names(stretches_of("ab", "letters", seconds=1.0)) == [(0.0, ["pau", "a", "b", "pau"])]
    assert stretches_of(None, "letters", seconds=1.0) == stretches_of("...", "letters", seconds=1.0) == []
    with pytest.raises(UsageError, match="2001 characters"):
        stretches_of("a" * 2001, "letters", seconds=1.0)


def test_a_frame_is_told_what_is_sung_at_its_beginning():
    units = frame_units(np.array([3, 4]), np.array([0.03, 0.05]), frames=6, frame_seconds=0.01)
    assert units.tolist() == [3, 3, 3, 4, 4, 0]


def test_units_are_found_between_the_times_and_in_songs_without_times(monkeypatch):
    monkeypatch.setattr("makar.codecs.lyrics.has_phones", lambda: False)
    draw = np.random.default_rng(0)
    listener, songs = Listener(), []
    for number in range(12):
        first, second, third = draw.uniform(0.1, 0.4, 3)
        sound = spelled([("pau", 0.2), ("a", first), ("b", second), ("a", third), ("pau", 0.2)])
        stamped = f"<00:00.20>ab <00:{0.2 + first + second:05.2f}>a <00:{0.2 + first + second + third:05.2f}>"
        words = stamped if number % 2 else "aba"
        songs.append((record(words, sound, number=number), np.cumsum([0.2, first, second, third])))
        listener.hear(songs[-1][0])
    lyrics = listener.learned()
    assert lyrics.left_out == 0
    for one, ends in songs:
        found = lyrics.heard(one, frames=150, frame_seconds=0.01)
        order = np.array([LETTERS.index(name) for name in ("pau", "a", "b", "a", "pau")])
        true = frame_units(order, np.append(ends, 9.0), frames=150, frame_seconds=0.01)
        assert (found != true).mean() < 0.06
    # New words last as long as their letters do in the songs.
    asked = lyrics.asked("ab", frame_seconds=0.01)
    counts = [int((asked == LETTERS.index(name)).sum()) for name in "ab"]
    assert all(12 < count < 40 for count in counts) and asked[0] == asked[-1] == 0
    assert len(lyrics.asked("abab", frame_seconds=0.01)) > 1.5 * len(asked) - 40
    assert lyrics.heard(record(None, songs[0][0].content), frames=5, frame_seconds=0.01).tolist() == [0] * 5
    assert lyrics.heard(record("ab" * 200, songs[0][0].content), frames=5, frame_seconds=0.01) is None


def test_a_song_that_is_too_short_for_its_words_is_left_out_and_counted(monkeypatch):
    monkeypatch.setattr("makar.codecs.lyrics.has_phones", lambda: False)
    sound = spelled([("pau", 0.1), ("a", 0.3), ("b", 0.3), ("pau", 0.1)])
    songs = [record("ab", sound, number=number) for number in range(4)] + [record("ab" * 100, sound, number=9)]
    codec = fit_codec(CONFIG.changed(frames=64), iter(songs))
    assert codec.remarks() == ("1 songs are too short for their words and were left out",)
    assert codec.encode(songs[-1]) == {} and set(codec.encode(songs[0])) == {TARGET, "class", LYRICS}


def test_words_are_needed_and_are_plain_where_they_are_asked_for(monkeypatch):
    monkeypatch.setattr("makar.codecs.lyrics.has_phones", lambda: False)
    sound = spelled([("a", 0.3), ("b", 0.3)])
    with pytest.raises(EmptyDataError, match="words"):
        fit_codec(CONFIG, iter([record(None, sound)]))
    codec = fit_codec(CONFIG, iter([record("ab", sound)] * 2))
    with pytest.raises(UsageError, match="with times"):
        codec.encode_lyrics("<00:00.10>ab")
    with pytest.raises(UnsupportedError, match="learned none"):
        fit_codec(CONFIG.changed(use_lyrics=False), iter([record("ab", sound)])).encode_lyrics("ab")


@needs_flite
def test_phones_of_real_songs_are_found_and_what_was_learned_survives_files():
    songs = [song(style, number) for number in range(2) for style in ("jig", "march", "waltz")]
    records = [record(one.timed, one.sound, number=number) for number, one in enumerate(songs)]
    codec = fit_codec(CONFIG, iter(records))
    again = load_codec(CONFIG, codec.files())
    order = KINDS["phones"].index
    right = []
    for one, its in zip(songs, records, strict=True):
        told = codec.encode(its)[LYRICS]
        assert told.dtype == np.uint8 and np.array_equal(told, again.encode(its)[LYRICS])
        assert codec.to_model(LYRICS, told).dtype == np.int64 and told.max() < LYRIC_UNITS
        true = np.array([order(name) for name, _ in one.phones])
        ends = np.array([end for _, end in one.phones])
        right.append((told == frame_units(true, ends, frames=256, frame_seconds=0.016)).mean())
    assert np.mean(right) > 0.8
    assert np.array_equal(codec.encode_lyrics("sing softly"), again.encode_lyrics("sing softly"))
    assert codec.counted(iter(records)).encode_lyrics("sing").any()
