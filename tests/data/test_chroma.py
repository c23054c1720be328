"""Notes and beginnings are heard where they are, whatever plays them; keys are found, silence is silence."""

import numpy as np
import pytest

from makar.data.builtin.tunes import SECONDS, STYLES, tune, tune_of
from makar.data.chroma import NOTE_NAMES, OUTLINE_ROWS, SILENT, chroma_of, melody_of, onsets_of, outline_of
from makar.data.instruments import sound_of
from makar.data.score import score_of
from makar.data.sound import Sound
from makar.evaluation.sound_tokens import key_named, longest_run
from makar.evaluation.tune_listening import key_name, key_of, tempo_of

RATE, HOP = 16_000, 256


def played(words):
    return sound_of(score_of(words), rate=RATE)


@pytest.mark.parametrize("pitch", [45, 57, 61, 72, 83])
@pytest.mark.parametrize("program", [0, 19, 73])
def test_a_note_is_heard_in_every_octave_and_timbre(pitch, program):
    samples = played(f"m4/4 q120 bar p0 i{program} n{pitch} d16")
    chroma = chroma_of(samples, rate_hz=RATE, hop=HOP)
    assert chroma.shape == (12, -(-len(samples) // HOP)) and chroma.dtype == np.float32
    assert int(chroma[:, 20:90].mean(1).argmax()) == pitch % 12


def test_a_melody_is_followed_above_its_chords_and_rests_are_silent():
    samples = played("m4/4 q120 bar p0 i73 n72 d4 n48 d4 n52 d4 p4 n76 d4 p8 n79 d4 p12 bar")
    notes = melody_of(np.pad(samples, (0, RATE)), rate_hz=RATE, hop=HOP)
    beat = RATE // 2 // HOP
    for number, note in enumerate((0, 4, 7)):
        heard = notes[number * beat + 8 : (number + 1) * beat - 8]
        assert (heard == note).mean() > 0.8, NOTE_NAMES[note]
    assert (notes[-30:] == SILENT).all()


def test_beginnings_stand_out_where_they_are():
    samples = played("m4/4 q120 bar p0 i0 n60 d4 p4 n64 d4 p8 n67 d4")
    onsets = onsets_of(samples, rate_hz=RATE, hop=HOP).max(0)
    begun = [round(place * RATE / 2 / HOP) for place in (1, 2)]
    for place in begun:
        assert onsets[place - 3 : place + 4].max() > 3 * onsets[place + 8 : place + 20].max()


def test_an_outline_shows_notes_and_beginnings_and_nothing_of_silence():
    outline = outline_of(played("m4/4 q120 bar p0 i19 n69 d16"), rate_hz=RATE, hop=HOP)
    assert outline.dtype == np.uint8 and len(outline) == OUTLINE_ROWS and (outline[9, 20:90] > 250).all()
    assert outline_of(np.zeros(RATE, np.float32), rate_hz=RATE, hop=HOP).max() == 0


def test_keys_of_tunes_are_heard_and_those_of_silence_are_none_of_them():
    right = [key_of(tune(style, 3)) == (tune_of(style, 3).tonic, tune_of(style, 3).mode) for style in STYLES]
    assert all(right)
    assert key_of(Sound(np.zeros((RATE, 1), np.float32), RATE)) == (0, "major")
    assert key_name(6, "minor") == "F# minor"


def test_tempo_is_heard_up_to_a_simple_ratio():
    for tempo in (88, 168):
        samples = played(f"m4/4 q{tempo} " + "bar p0 i0 n60 d4 p4 n60 d4 p8 n60 d4 p12 n60 d4 " * 3)
        found = tempo_of(Sound(samples[:, None], RATE))
        assert min(abs(found * factor / tempo - 1) for factor in (0.5, 1, 2)) < 0.06
    assert tempo_of(Sound(np.zeros((RATE, 1), np.float32), RATE)) == 0


def test_tunes_are_the_same_every_time_and_differ_from_each_other():
    first, again, other = tune("waltz", 1), tune("waltz", 1), tune("waltz", 2)
    assert np.array_equal(first.samples, again.samples) and not np.array_equal(first.samples, other.samples)
    assert abs(first.seconds - SECONDS) < 1e-6 and 0.1 < np.abs(first.samples).max() <= 1
    assert tune_of("waltz", 1).caption.startswith("a ") and " waltz in " in tune_of("waltz", 1).caption


@pytest.mark.parametrize(
    "caption, key",
    [
        ("a slow organ waltz in f# minor", (6, "minor")),
        ("bell 3 in Bb major", (10, "major")),
        ("in c flat major", (11, "major")),
        ("a minor accident", (9, "minor")),
        ("majorities", None),
    ],
)
def test_keys_are_read_from_captions(caption, key):
    assert key_named(caption) == key


def test_the_longest_run_is_counted_within_one_sound():
    learned = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert longest_run(np.array([2, 3, 4, 5, 6]), learned) == 3
    assert longest_run(np.array([9, 9]), learned) == 0
    assert longest_run(learned[1], learned) == 4
