"""Music in words and as MIDI: the two say the same, whatever a model or a stranger wrote; keys are found, and bad files are refused."""

import contextlib
import gzip
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makar.codecs.music import WORDS
from makar.data import score as score_module
from makar.data.dataset import open_dataset
from makar.data.keys import KEYS, in_key_share, key_named, key_of, moved_key
from makar.data.midi import MidiFile, MidiNote, read_midi, write_midi
from makar.data.score import midi_of, notation_of, score_of, score_of_midi, score_of_voices, tidy, voices_of
from makar.errors import DataError
from tests.data.test_dataset import reasons, write

CHORALE = score_of_voices(
    [
        [72, 72, 72, 72, 74, 74, 76, 76],
        [67, 67, 67, 67, 67, 67, 67, 67],
        [64, 64, 64, 64, 62, 62, 60, 60],
        [48, 48, 50, 50, 47, 47, 48, 48],
    ]
)
TUNE = "m3/4 q120 bar p0 i0 n60 d4 p4 n64 d4 p8 n67 d4 bar p0 i24 n48 d12"


def tune(number, *, steps=12):
    """Return a MIDI file of a scale that depends on the number."""
    words = [
        f"p{4 * (step % 4)} n{60 + (step * (1 + number % 5)) % 12 + number // 5} d{1 + number % 3}"
        for step in range(steps)
    ]
    notation = "m4/4 q96 " + " ".join(("bar " if step % 4 == 0 else "") + word for step, word in enumerate(words))
    return midi_of(score_of(notation))


def test_a_chorale_is_four_words_a_sixteenth_and_a_mark_a_quarter():
    words = notation_of(CHORALE).split()
    assert words[:8] == ["m4/4", "q96", "grid", ":", "s72", "a67", "t64", "b48"]
    assert words.count(":") == 2 and len(words) == 3 + 2 + 4 * 8
    assert score_of(notation_of(CHORALE)) == CHORALE
    assert voices_of(CHORALE)[3] == [48, 48, 50, 50, 47, 47, 48, 48]


@pytest.mark.parametrize("notation", [notation_of(CHORALE), TUNE, "m6/8 q200 bar p0 i128 n42 d1 n36 d1 p6 n38 d2"])
def test_words_come_back_from_midi(notation):
    assert notation_of(score_of_midi(read_midi(midi_of(score_of(notation))))) == notation


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60), st.booleans())
def test_whatever_is_written_is_a_piece_and_comes_back_from_midi(words, is_grid):
    written = " ".join(["m4/4", "q96", *(["grid"] if is_grid else []), *words])
    kept = tidy(written)
    assert tidy(kept) == kept and set(kept.split()) <= set(WORDS)
    assert notation_of(score_of_midi(read_midi(midi_of(score_of(kept)), may_be_silent=True))) == kept


def test_a_part_that_rests_or_is_missing_is_kept_where_it_can_be():
    resting = score_of_voices([[72, None, 72], [67, 67, None], [60, 60, 60], [48, None, 48]])
    assert "s- " in notation_of(resting) and voices_of(score_of(notation_of(resting)))[0] == [72, None, 72]
    assert tidy("m4/4 q96 grid s72 a67 s74 a65") == tidy("m4/4 q96 bar p0 i19 n72 d1 n67 d1 p1 n74 d1 n65 d1")


def test_a_grid_without_its_head_is_a_grid():
    written = notation_of(CHORALE).removeprefix("m4/4 q96 grid ")
    assert tidy(written) == notation_of(CHORALE)


def test_times_go_to_the_nearest_sixteenth_whatever_the_ticks():
    notes = tuple(MidiNote(start=start, end=start + 330, pitch=60 + start % 7) for start in (0, 320, 640, 1010))
    score = score_of_midi(MidiFile(ticks=960, notes=notes, length=2000))
    assert [note.start for note in score.notes] == [0, 1, 3, 4]


def test_a_note_that_is_struck_again_ends_before():
    assert tidy("m4/4 q96 bar p0 i0 n60 d8 p4 n60 d4") == "m4/4 q96 bar p0 i0 n60 d4 p4 n60 d4"


def test_midi_keeps_tempo_metre_texts_and_instruments():
    file = read_midi(midi_of(score_of(TUNE), texts=("a text", "another")))
    assert file.texts == ("a text", "another") and file.metre == (3, 4) and file.tempo == 500_000
    assert {note.program for note in file.notes} == {0, 24}


def test_running_status_and_silent_note_ons_are_understood():
    track = bytes((0, 0x90, 60, 80, 96, 60, 0, 0, 64, 80, 96, 64, 0, 0, 0xFF, 0x2F, 0))
    data = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(track)) + track
    assert [(note.pitch, note.start, note.end) for note in read_midi(data).notes] == [(60, 0, 96), (64, 96, 192)]


def empty(tracks, division=96, form=1):
    return b"MThd" + struct.pack(">IHHH", 6, form, tracks, division)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "no Standard MIDI File"),
        (b"RIFF" + bytes(40), "no Standard MIDI File"),
        (empty(10_000), "10000 tracks"),
        (empty(1), "ends before track 1"),
        (empty(1) + b"MTrk" + struct.pack(">I", 1000) + bytes(10), "ends inside track 1"),
        (empty(1) + b"MTrk" + struct.pack(">I", 4) + bytes((0, 0xFF, 0x2F, 0)), "without notes"),
        (empty(1) + b"MTrk" + struct.pack(">I", 3) + bytes((0, 0x90, 60)), "ends inside an event"),
        (empty(1) + b"MTrk" + struct.pack(">I", 3) + bytes((0, 60, 60)), "without a status"),
        (empty(1) + b"MTrk" + struct.pack(">I", 5) + b"\xff\xff\xff\xff\x00", "more than four bytes"),
        (empty(1, division=0xE728), "film frames"),
        (empty(1, form=2), "format 2"),
    ],
)
def test_bad_files_are_refused_with_the_reason(data, words):
    with pytest.raises(DataError, match=words):
        read_midi(data)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200))
def test_no_damage_does_more_than_be_refused(junk, cut):
    data = tune(3)
    for damaged in (data[: min(cut, len(data))], data[:30] + junk + data[30:]):
        with contextlib.suppress(DataError):
            assert read_midi(damaged).notes


def test_a_long_note_of_a_hostile_file_costs_nothing():
    notes = (MidiNote(start=0, end=1 << 27, pitch=60),)
    score = score_of_midi(read_midi(write_midi(MidiFile(ticks=96, notes=notes, length=1 << 27))))
    assert score.notes[0].duration == 64


def test_notes_that_last_for_ever_are_cut_off(monkeypatch):
    monkeypatch.setattr(score_module, "MOST_STEPS", most := 256)
    notes = tuple(MidiNote(start=0, end=1 << 22, pitch=72 - 8 * part, track=part, channel=part) for part in range(4))
    late = MidiNote(start=round((most - 0.4) / 4 * 8), end=1 << 22, pitch=60, track=4, channel=4)
    score = score_of_midi(MidiFile(ticks=1, notes=notes, length=1 << 22))
    assert score.steps == most and max(note.end for note in score.notes) <= most
    assert score_of_midi(MidiFile(ticks=8, notes=(late,), length=1 << 22)).notes == ()


def test_a_folder_of_midi_is_music_with_the_folder_as_style(tmp_path):
    for number in range(20):
        folder = tmp_path / ("jigs and reels" if number % 2 else "hornpipes")
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.mid").write_bytes(tune(number))
    (tmp_path / "broken.mid").write_bytes(tune(1)[:60])
    (tmp_path / "silent.mid").write_bytes(midi_of(score_of("m4/4 q96")))
    dataset = open_dataset(tmp_path)
    found = [record for split in ("train", "inner", "held_out") for record in dataset.records(split)]
    assert dataset.medium == "music" and len(found) == 20
    assert {record.label for record in found} == {"jigs_and_reels", "hornpipes"}
    assert any("ends inside track" in reason for reason in reasons(dataset))
    assert any("without notes" in reason for reason in reasons(dataset))


def test_a_table_of_four_parts_is_music_with_its_official_parts(tmp_path):
    draw = np.random.default_rng(0)
    pieces = [[[int(72 + draw.integers(3)), 67, 60, -1] for _ in range(12 + number)] for number in range(40)]
    table = {"train": pieces[:30], "valid": pieces[30:34], "test": pieces[34:]}
    (tmp_path / "chorales.json.gz").write_bytes(gzip.compress(json.dumps(table).encode()))
    dataset = open_dataset(tmp_path)
    assert dataset.medium == "music" and dataset.inspection.splits["origin"] == "official test part"
    # A part that always rests leaves three, which are events.
    assert "grid" not in next(dataset.records("train")).content


def test_a_table_of_fewer_pitches_gives_the_lowest_to_the_bass(tmp_path):
    rows = [[72, 67, 64, 48]] * 4 + [[72, 48]] * 4 + [[]] * 2 + [[74, 65, 62, 50]] * 6
    pieces = [[*rows, *[[70 + number % 5, 65, 60, 40 + number % 7]] * (number + 1)] for number in range(30)]
    dataset = open_dataset(write(tmp_path, {"all.json": json.dumps({"train": pieces[:20], "test": pieces[20:]})}))
    voices = voices_of(score_of(next(dataset.records("train")).content))
    assert [row[5] for row in voices] == [72, None, None, 48] and [row[8] for row in voices] == [None] * 4


# Keys


def test_the_scale_of_every_key_is_found_in_it():
    for key in KEYS:
        tonic = KEYS.index(key) % 12
        steps = (0, 2, 3, 5, 7, 8, 11) if key.endswith("m") else (0, 2, 4, 5, 7, 9, 11)
        # A cadence says more of the key than a scale.
        pitches = [60 + tonic + step for step in steps] + [
            60 + tonic,
            60 + tonic + steps[2],
            60 + tonic + 7,
            48 + tonic,
        ]
        words = " ".join(f"n{pitch} d4" for pitch in pitches)
        notes = score_of(f"m4/4 q96 bar p0 {words} p4 n{60 + tonic} d16").notes
        assert key_of(notes) == key
        assert in_key_share(notes, key) == 1.0 and in_key_share(notes, moved_key(key, 6)) < 0.7


def test_a_key_moves_with_the_piece():
    score = score_of(TUNE)
    for semitones in range(-5, 7):
        assert key_of(score.moved(semitones).notes) == moved_key(key_of(score.notes), semitones)


@pytest.mark.parametrize(
    "text, key", [("C", "C"), ("c# minor", "Dbm"), ("Bbm", "Bbm"), ("eb major", "Eb"), ("H", None), ("", None)]
)
def test_keys_have_many_names(text, key):
    assert key_named(text) == key
