"""Times beside recordings: label files and TextGrids are read, belong to recordings, and are refused by file and line where they lie."""

import io
import zipfile

import numpy as np
import pytest

import makar
from makar.data.dataset import open_dataset
from makar.data.label_file import times_of_labels
from makar.data.praat_text import times_of_textgrid
from makar.data.sound import Sound
from makar.data.wave_file import on_grid, wave_bytes
from makar.errors import DataError, EmptyDataError
from tests.cli.small_models import see

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.2
<exists>
2
"IntervalTier"
"anna - words"
0
1.2
3
0
0.2
""
0.2
0.7
"say ""now\"\"\"
0.7
1.2
"please"
"TextTier"
"notes"
0
1.2
1
0.3
"! a cough"
"""
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.2
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = "sil"
        intervals [2]:
            xmin = 0.2
            xmax = 0.7
            text = "AH0"
        intervals [3]:
            xmin = 0.7
            xmax = 1.2
            text = "B"
"""
TWICE = LONG.replace("size = 1\n", "size = 2\n", 1) + LONG[LONG.index("    item [1]") :]


def triples(stretches):
    return [(round(one.start, 6), round(one.end, 6), one.label) for one in stretches]


def test_both_forms_of_a_textgrid_are_read():
    short, long = times_of_textgrid(SHORT, "a.TextGrid"), times_of_textgrid(LONG, "a.TextGrid")
    assert triples(short.words) == [(0, 0.2, ""), (0.2, 0.7, 'say "now"'), (0.7, 1.2, "please")] and not short.phones
    assert triples(long.phones) == [(0, 0.2, "pau"), (0.2, 0.7, "ax"), (0.7, 1.2, "b")] and not long.words
    assert short.text == 'say "now" please' and long.text == ""
    assert [one.line for one in long.phones] == [18, 22, 26]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("0 0.2 sil\n0.2 0.3 AH0\n0.3 0.5 b\n", [(0, 0.2, "pau"), (0.2, 0.3, "ax"), (0.3, 0.5, "b")]),
        # HTK: units of 100 ns, and how likely a label is.
        ("0 2000000 sil\n2000000 3000000 ah1 -77.5\n", [(0, 0.2, "pau"), (0.2, 0.3, "ah")]),
        # festvox and CMU ARCTIC: where it ends, and a colour.
        ("separator ;\n#\n0.200 125 pau\n0.300 125 ah\n", [(0, 0.2, "pau"), (0.2, 0.3, "ah")]),
        ("start\tend\tlabel\n0.1\t0.3\tgood day\n0.3\t0.8\tdear\n", [(0.1, 0.3, "good day"), (0.3, 0.8, "dear")]),
    ],
)
def test_label_files_are_read(text, wanted):
    found = times_of_labels(text, "a.lab")
    assert triples(found.phones or found.words) == wanted


@pytest.mark.parametrize(
    "text, line, said",
    [
        ("0 0.2 sil\n0.2 x AH0\n", 2, "0.2 x AH0"),
        ("0 0.2 sil\n\n0.3 0.25 AH0\n", 3, "from 0.3 to 0.25"),
        ("0 0.2 sil\n0.2 0.4 AH0\n0.3 0.5 B\n", 3, "before 0.4"),
        ("0 0.2 sil\n", 1, "nothing is spoken"),
        ("0 nan sil\n", 1, "nan"),
        ("-1 0.2 AH0\n", 1, "-1"),
        ("", 1, "nothing is spoken"),
    ],
)
def test_damaged_labels_are_refused_by_file_and_line(text, line, said):
    with pytest.raises(DataError, match=said) as refused:
        times_of_labels(text, "a.lab")
    assert refused.value.came.startswith(f"a.lab line {line}: ")


@pytest.mark.parametrize(
    "text, line, said",
    [
        (LONG.replace("xmax = 0.7", "xmax = 0.1"), 22, "from 0.2 to 0.1"),
        (LONG.replace("xmin = 0.7", "xmin = 0.5"), 26, "before 0.7"),
        (LONG.replace("size = 3", "size = 4"), 26, "the file ends"),
        (LONG.replace('"AH0"', '"AH0'), 26, "where"),
        (LONG.replace('"AH0"', '"ʃ"'), 22, "none that is known"),
        (TWICE.replace('"phones"', '"gestures"'), 1, "its tiers are called gestures"),
        (TWICE, 1, "2 tiers of the same kind"),
        (LONG.replace('"TextGrid"', '"PitchTier"'), 2, "PitchTier"),
        (SHORT.replace("anna - words", "gestures").replace("TextTier", "IntervalTier"), 28, "end of an interval"),
        ("junk", 1, "the file ends"),
    ],
)
def test_damaged_textgrids_are_refused_by_file_and_line(text, line, said):
    with pytest.raises(DataError, match=said) as refused:
        times_of_textgrid(text, "a.TextGrid")
    assert refused.value.came.startswith(f"a.TextGrid line {line}: ")


def test_phones_of_another_alphabet_leave_the_words():
    words = SHORT[SHORT.index('"IntervalTier"') : SHORT.index('"TextTier"')]
    both = LONG.replace("size = 1\n", "size = 2\n", 1).replace("AH0", "ə") + words
    found = times_of_textgrid(both, "a.TextGrid")
    assert not found.phones and found.text == 'say "now" please'


def wave(seconds, *, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.1, round(8000 * seconds)).astype(np.float32)
    return wave_bytes(Sound(on_grid(noise)[:, None], 8000))


def folder_of(place, files):
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


@pytest.fixture
def ljspeech(tmp_path):
    """Return six recordings laid out as LJSpeech: four with times in a folder of their own, one with none, one with damaged ones."""
    files = {"metadata.csv": "".join(f"LJ-{number}|A bee.|a bee.\n" for number in range(6))}
    for number in range(6):
        files[f"wavs/LJ-{number}.wav"] = wave(1.2, seed=number)
    for number in range(4):
        files[f"aligned/LJ-{number}.TextGrid"] = LONG.encode("utf-16") if number else LONG
    files["aligned/LJ-5.TextGrid"] = LONG.replace("xmax = 0.7", "xmax = 0.1")
    return folder_of(tmp_path / "ljspeech", files)


def test_the_times_of_an_ljspeech_folder_are_counted_and_damaged_ones_named(ljspeech):
    found = see("inspect", ljspeech, "--json").values
    assert (found["medium"], found["used"], found["captions"]) == ("sound", 5, 5)
    assert found["times"] == {"recordings": 4, "phones": 4}
    (damaged,) = [row for row in found["skipped"] if row["reason"] == "its times cannot be used"]
    assert damaged["count"] == 1 and damaged["examples"][0].startswith("aligned/LJ-5.TextGrid line 22: ")
    # Once more as it is kept, and in the table.
    assert makar.inspect(ljspeech).times == found["times"]
    assert "phones 4" in see("inspect", ljspeech).output
    dataset = open_dataset(ljspeech)
    records = [record for split in ("train", "inner", "held_out") for record in dataset.records(split)]
    assert sum(record.times is not None for record in records) == 4 and len(records) == 5


def test_times_beside_recordings_make_their_text_and_the_recipe_of_speech(tmp_path):
    labels = "0.1\t0.5\tgood\n0.5\t0.9\tday\n"
    files = {f"{number}.wav": wave(1.2, seed=number) for number in range(4)}
    files |= {f"{number}.tsv": labels for number in range(3)} | {"3.lab": "Good day."}
    dataset = open_dataset(folder_of(tmp_path / "voice", files))
    assert dataset.inspection.times == {"recordings": 3, "words": 3}
    records = [record for split in ("train", "inner", "held_out") for record in dataset.records(split)]
    assert sorted(record.caption for record in records) == ["Good day.", "good day", "good day", "good day"]
    assert makar.plan(dataset, steps=2, probe=False).recipe.name == "speech"


def test_a_table_of_numbers_and_words_is_still_a_table(tmp_path):
    rows = "".join(f"{number}\t{number + 1}\tthis is the text of row number {number}\n" for number in range(60))
    folder = folder_of(tmp_path / "table", {"rows.tsv": "id\tuser\ttext\n" + rows})
    assert open_dataset(folder).inspection.used == 60


def test_times_in_an_archive_are_read(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.wav", wave(1.2, seed=number))
            archive.writestr(f"{number}.TextGrid", LONG)
    (tmp_path / "voice.zip").write_bytes(buffer.getvalue())
    assert open_dataset(tmp_path / "voice.zip").inspection.times == {"recordings": 3, "phones": 3}


@pytest.mark.parametrize(
    "labels, text, said",
    [
        ("0.1\t0.5\tgood\n0.5\t1.9\tday\n", None, 'line 2: "day" from 0.5 to 1.9 s, in a recording of 1.20 s'),
        ("0.1\t0.5\tgood\n0.5\t0.9\tday\n", "See you tomorrow.", 'line 1: "good" is spoken, and the text is "See you'),
    ],
)
def test_times_of_another_recording_are_refused(tmp_path, labels, text, said):
    files = {"1.wav": wave(1.2), "1.tsv": labels} | ({"1.txt": text} if text else {})
    with pytest.raises(EmptyDataError, match="its times cannot be used") as refused:
        open_dataset(folder_of(tmp_path / "voice", files))
    assert f"1.tsv {said}" in refused.value.came


def test_a_long_recording_is_cut_as_before_and_its_times_are_left_aside(tmp_path):
    chords = "".join(f"{2 * number} {2 * number + 2} C:maj\n" for number in range(8))
    files = {"song.wav": wave(16.0), "song.lab": chords, "other.TextGrid": LONG}
    found = open_dataset(
        folder_of(tmp_path / "music", files | {f"{n}.wav": wave(1.0, seed=n) for n in (1, 2)})
    ).inspection
    assert not found.times and found.used == 3
    assert any("song.wav is cut into pieces" in sentence for sentence in found.warnings)
    assert "times of a recording that is not here" in {row["reason"] for row in found.skipped}


def test_a_text_may_spell_otherwise_than_its_times(tmp_path):
    labels = "0.1\t0.4\tmister\n0.4\t0.7\tbrown\n0.7\t0.9\tsmiled\n"
    for number, text in enumerate(("Mr. Brown smiled.", "21 smiled.")):
        files = {
            "1.wav": wave(1.2),
            "1.tsv": labels,
            "1.txt": text,
            "2.wav": wave(1.0, seed=1),
            "3.wav": wave(1.0, seed=2),
        }
        assert open_dataset(folder_of(tmp_path / str(number), files)).inspection.times == {"recordings": 1, "words": 1}


def test_data_with_damaged_times_alone_says_where(tmp_path):
    folder = folder_of(tmp_path / "voice", {"1.wav": wave(1.2), "1.lab": "0 0.2 sil\n0.2 x AH0\n"})
    assert '1.lab line 2: "0.2 x AH0"' in see("inspect", folder, code=1).messages
