"""Words that are sung: a vowel begins with its note and has its pitch, consonants keep their pace, songs know their words and times."""

import re
import shutil

import numpy as np
import pytest

from makar.codecs.pitch import pitches_hz
from makar.data.builtin.songs import RATE_HZ, WORDS, SongsSource, song
from makar.data.dataset import open_dataset
from makar.data.singing import VOWELS, SungNote, sung, sung_phones, syllables
from makar.data.sound import Sound
from makar.errors import UnsupportedError

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed")
SPOKEN = [("pau", 0.2), ("m", 0.3), ("aa", 0.4), ("s", 0.5), ("iy", 0.6), ("n", 0.65), ("pau", 0.85)]
NOTES = [SungNote(start=0.5, end=1.0, pitch=45), SungNote(start=1.0, end=1.5, pitch=52)]


def buzz(seconds, hertz):
    """Return a tone with many harmonics, as a throat has."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return sum(np.cos(2 * np.pi * hertz * n * times) / n for n in range(1, 20)).astype(np.float32) * 0.1


def test_a_vowel_begins_with_its_note_and_consonants_keep_their_pace():
    assert syllables(SPOKEN) == 2
    ends = dict(zip(range(7), sung_phones(SPOKEN, NOTES)))
    names = [name for name, _ in ends.values()]
    assert names == [name for name, _ in SPOKEN]
    # m is spoken before the first note, s at the end of it, n and the pause behind the last.
    assert [ends[place][1] for place in range(7)] == pytest.approx([0.4, 0.5, 0.9, 1.0, 1.5, 1.55, 1.75])
    # Where there is no time for them they are hurried to half of the note.
    quick = sung_phones(SPOKEN, [SungNote(start=0.1, end=0.2, pitch=45), SungNote(start=0.2, end=0.3, pitch=45)])
    assert [end for _, end in quick][:4] == pytest.approx([0.1 * 2 / 3, 0.1, 0.15, 0.2])
    with pytest.raises(ValueError):
        sung_phones(SPOKEN, NOTES[:1])


def test_the_pitch_is_that_of_the_note_whatever_it_was_and_nothing_is_as_loud_as_a_vowel():
    made = sung(buzz(0.85, 97.0), SPOKEN, NOTES, rate=RATE_HZ)
    assert made.dtype == np.float32 and len(made) == round(1.75 * RATE_HZ)
    heard = pitches_hz(Sound(made[:, None], RATE_HZ))
    for note in NOTES:
        moments = heard[round((note.start + 0.1) / 0.008) : round((note.end - 0.15) / 0.008)]
        assert np.nanmedian(moments) == pytest.approx(440 * 2 ** ((note.pitch - 69) / 12), rel=0.03)
    # What is loud is loud again: the outline is that of the recording.
    before, after = (float(np.sqrt((one**2).mean())) for one in (buzz(0.85, 97.0), made[8000:24000]))
    assert 0.5 * before < after < 2 * before


@needs_flite
def test_songs_are_the_same_each_time_and_know_their_words_times_and_notes():
    one, other = song("jig", 3), song("waltz", 3)
    song.cache_clear()
    again = song("jig", 3)
    assert np.array_equal(one.sound.samples, again.sound.samples) and one.timed == again.timed
    assert one.timed != other.timed and len(one.notes) == syllables(one.phones)
    words = re.findall(r"<00:(\d\d\.\d\d)>([a-z]*)", one.timed)
    assert " ".join(word for _, word in words).strip() == one.words
    assert all(word in row for word, row in zip(one.words.split(), WORDS, strict=True))
    times = [float(time) for time, _ in words]
    assert times == sorted(times) and times[-1] <= one.sound.seconds < 4.0
    # Each word begins where a phone of it does: before its first vowel, whose note has begun then.
    starts = [0.0, *(end for _, end in one.phones)]
    assert all(min(abs(start - time) for start in starts) < 0.006 for time in times)
    assert [start for start, (name, _) in zip(starts, one.phones) if name in VOWELS] == pytest.approx(
        [note.start for note in one.notes]
    )
    assert 0.5 < np.abs(one.sound.samples).max() <= 1.0


@needs_flite
def test_a_song_of_the_data_set_has_style_and_words():
    documents = iter(SongsSource().documents(lambda source, reason: None))
    first = next(documents)
    assert first.label == "jig" and first.caption == song("jig", 0).timed and first.licence == "CC0-1.0"
    assert np.array_equal(next(first.read()).samples, song("jig", 0).sound.samples)


def test_without_flite_songs_are_refused_and_the_package_named(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(UnsupportedError, match="flite") as refused:
        open_dataset("builtin:songs")
    assert refused.value.do == "apt-get install flite"
