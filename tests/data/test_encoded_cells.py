"""Files in cells of tables are read like files in folders: sounds and videos as well as images, with what is said beside them."""

import base64
import csv
import io
import json
import tracemalloc

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from makar.data import encoded_cells, tables
from makar.data.builtin.effects import effect
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.dataset import open_dataset
from makar.data.entries import entries
from makar.data.sniffing import sniff
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.data.table_columns import choose_columns
from makar.data.video_file import video_bytes
from makar.data.video_reader import read_clip
from makar.data.wave_file import wave_bytes
from makar.errors import DataError, EmptyDataError
from tests.data.test_dataset import all_records, picture, png, prose, reasons
from tests.data.test_sound import RATE, tone

LAYOUTS = ("binary", "pair", "jsonl", "jsonl pair", "csv")
SILENT = wave_bytes(Sound(np.zeros((900, 1), np.float32), RATE))
HOSTILE = {
    "wav": wave_bytes(tone())[:30],
    "flac": b"fLaC" + bytes(60),
    "ogg": b"OggS" + b"\xff" * 60,
    "mp3": b"ID3\x03" + bytes(300),
    "m4a": b"\0\0\0\x18ftypM4A " + bytes(60),
    "aiff": SILENT,
}


def kept(path, layout, column, files, **others):
    """Write a table of files with other columns beside them and return where it is."""
    as_text = [base64.b64encode(file).decode() for file in files]
    cells = {
        "binary": files,
        "pair": [{"bytes": file, "path": f"{number}.x"} for number, file in enumerate(files)],
        "jsonl": as_text,
        "jsonl pair": [{"bytes": text, "path": None} for text in as_text],
        "csv": [f"data:application/octet-stream;base64,{text}" for text in as_text],
    }[layout]
    columns = {column: cells, **others}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    if layout in ("binary", "pair"):
        place = path / "table.parquet"
        pyarrow.parquet.write_table(pyarrow.table(columns), place)
    elif layout == "csv":
        place = path / "table.csv"
        with place.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(rows)
    else:
        place = path / "table.jsonl"
        place.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return place


def found_in(dataset):
    """Return every record by the number of its row."""
    every = [record for records in all_records(dataset).values() for record in records]
    return {int(record.source.rpartition("#")[2]): record for record in every}


@pytest.fixture(scope="module")
def recordings():
    """Return sounds as files in four forms by turns."""
    soundfile = pytest.importorskip("soundfile")
    files = []
    for number in range(12):
        sound = effect(("bell", "drum")[number % 2], number)
        form = ("WAV", "FLAC", "OGG", "MP3")[number // 3]
        file = io.BytesIO()
        soundfile.write(file, sound.samples, sound.rate_hz, format=form)
        files.append(wave_bytes(sound) if form == "WAV" else file.getvalue())
    return files


@pytest.fixture(scope="module")
def films():
    """Return clips as files in three forms by turns."""
    pytest.importorskip("av")
    return [
        video_bytes(shape_clip(ALL[4 * number], 0), ("mp4", "webm", "gif")[number % 3], comment="")
        for number in range(9)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sounds_in_a_table_are_those_of_the_files(tmp_path, recordings, layout):
    texts = [f"sound number {number}" for number in range(12)]
    labels = [("bell", "drum")[number % 2] for number in range(12)]
    table = kept(tmp_path, layout, "audio", recordings, transcription=texts, label=labels)
    dataset = open_dataset(table)
    inspection = dataset.inspection
    assert dataset.medium == "sound" and inspection.labels == {"bell": 6, "drum": 6} and inspection.captions == 12
    assert 'content from column "audio"; caption from "transcription"; label from "label"' in inspection.notes[0]
    records = found_in(dataset)
    assert len(records) == 12
    for number, record in records.items():
        assert np.array_equal(record.content.samples, read_sound(recordings[number]).samples)
        assert (record.caption, record.label) == (texts[number], labels[number])


@pytest.mark.parametrize("layout", ["pair", "jsonl"])
def test_videos_in_a_table_are_those_of_the_files(tmp_path, films, layout):
    texts = [ALL[4 * number].caption for number in range(9)]
    dataset = open_dataset(kept(tmp_path, layout, "clip", films, text=texts))
    assert dataset.medium == "video" and dataset.inspection.captions == 9
    records = found_in(dataset)
    assert len(records) == 9
    for number, record in records.items():
        assert np.array_equal(record.content.frames, read_clip(films[number], most_frames=100).frames)
        assert record.caption == texts[number]


def test_images_in_base64_are_images(tmp_path):
    pictures = [picture(number) for number in range(12)]
    records = found_in(open_dataset(kept(tmp_path, "jsonl", "photo", [png(one) for one in pictures])))
    assert len(records) == 12 and all(np.array_equal(records[number].content, pictures[number]) for number in records)


def test_a_class_with_a_name_in_the_schema_and_a_speaker_are_labels(tmp_path):
    sounds = [{"bytes": wave_bytes(effect("bell", number)), "path": None} for number in range(10)]
    features = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    table = pyarrow.table({"audio": sounds, "label": [number % 2 for number in range(10)]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert open_dataset(tmp_path / "a.parquet").inspection.labels == {"no": 5, "yes": 5}
    spoken = pyarrow.table({"audio": sounds, "sentence": ["well"] * 10, "speaker_id": [7] * 5 + [9] * 5})
    pyarrow.parquet.write_table(spoken, tmp_path / "b.parquet")
    inspection = open_dataset(tmp_path / "b.parquet").inspection
    assert inspection.labels == {"7": 5, "9": 5} and inspection.captions == 10


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hostile_sounds_in_a_table_are_refused_like_files(tmp_path, layout):
    pytest.importorskip("soundfile")
    good = [wave_bytes(effect("drum", number)) for number in range(8)]
    folder = tmp_path / "files"
    folder.mkdir()
    for number, content in enumerate(good):
        (folder / f"{number}.wav").write_bytes(content)
    for form, content in HOSTILE.items():
        (folder / f"hostile.{form}").write_bytes(content)
    as_files = set(reasons(open_dataset(folder)))
    assert not any(str(tmp_path) in reason for reason in as_files)
    dataset = open_dataset(kept(tmp_path, layout, "audio", good + list(HOSTILE.values())))
    assert dataset.inspection.used == 8 and len(found_in(dataset)) == 8
    # What cannot be a sound by its first bytes is named together with what was wanted.
    assert {reason.removeprefix("no sound: ") for reason in reasons(dataset)} == as_files and len(as_files) >= 4


def test_other_things_in_a_column_of_videos_are_named_and_a_picture_is_a_clip_of_one_frame(tmp_path, films):
    others = [
        png(picture(3, size=32)),
        b"#EXTM3U\nfile:///etc/passwd\n" + b"x" * 60,
        wave_bytes(tone()),
        films[0][:300],
    ]
    dataset = open_dataset(kept(tmp_path, "binary", "video", films + others), medium="video")
    records = found_in(dataset)
    assert set(records) == set(range(10)) and len(records[9].content.frames) == 1
    assert {"no video: txt", "no video: wav"} < set(reasons(dataset)) and sum(reasons(dataset).values()) == 3


def test_a_long_recording_with_a_text_beside_it_is_whole_and_one_without_is_cut(tmp_path):
    long = [wave_bytes(tone(200 + 50 * number, seconds=7)) for number in range(5)]
    dataset = open_dataset(kept(tmp_path, "pair", "audio", long, sentence=["", "one", "two", "three", "four"]))
    every = [record for records in all_records(dataset).values() for record in records]
    lengths = {}
    for record in every:
        lengths.setdefault(int(record.source.rpartition("#")[2]), []).append(record.content.seconds)
    assert lengths == {0: [5.0, 2.0], **{number: [7.0] for number in range(1, 5)}}


def test_damaged_base64_and_empty_cells_are_left_out(tmp_path):
    texts = [base64.b64encode(wave_bytes(effect("bell", number))).decode() for number in range(9)]
    texts += [texts[0][:-400] + "*" + texts[0][-399:], "", "none"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"audio": text}) + "\n" for text in texts), encoding="utf-8")
    dataset = open_dataset(tmp_path / "a.jsonl")
    assert len(found_in(dataset)) == 9
    assert reasons(dataset)["a row without audio"] == 1 and any("base64" in reason for reason in reasons(dataset))
    assert any(reason.startswith("no sound") for reason in reasons(dataset))


def test_the_medium_with_the_most_bytes_is_the_content_unless_one_is_asked_for(tmp_path):
    sounds = [wave_bytes(effect("bell", number)) for number in range(10)]
    covers = [png(picture(number)) for number in range(10)]
    words = [prose(number) for number in range(10)]
    table = kept(tmp_path, "binary", "cover", covers, recording=sounds, text=words)
    assert [open_dataset(table, medium=medium).medium for medium in (None, "image", "text")] == [
        "sound",
        "image",
        "text",
    ]
    with pytest.raises(EmptyDataError, match="holds no video"):
        open_dataset(table, medium="video")


def test_of_a_column_of_animations_the_first_pictures_are_images_where_those_are_asked_for(tmp_path):
    clips = [video_bytes(shape_clip(ALL[number], 0), "gif", comment="") for number in range(6)]
    table = kept(tmp_path, "pair", "image", clips)
    assert open_dataset(table).medium == "video"
    records = found_in(open_dataset(table, medium="image"))
    assert len(records) == 6 and records[0].content.shape == (32, 32, 3)


def test_texts_are_no_files():
    assert sniff("a.txt", b"The wide river") == sniff("a.txt", b"The blue river")
    assert sniff("", b"\0\0\0\x08wide" + bytes(8)).group == "video"
    image = "data:image/png;base64," + base64.b64encode(png(picture(0))).decode()
    rows = [{"text": prose(number, 12)} for number in range(6)] + [{"text": image}] * 2
    assert choose_columns(iter(rows)).medium == "text"
    words = [
        "A" * 300,
        "//sound/of/the/sea" * 9,
        "hello",
        "Donaudampfschifffahrtsgesellschaftskapitaenswitwe",
        "=" * 60,
    ]
    assert encoded_cells.medium_of_cells(words) is None
    assert encoded_cells.medium_of_cells([image, image.replace(",", ",\r\n")]) == "image"
    with pytest.raises(DataError, match="base64"):
        encoded_cells.content_of(image[:-3])


def test_rows_with_large_files_are_held_a_few_at_a_time(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    files = pyarrow.table({"video": [draw.bytes(200_000) for _ in range(64)]})
    pyarrow.parquet.write_table(files, tmp_path / "a.parquet", write_batch_size=2, use_dictionary=False)

    def most_held(limit):
        monkeypatch.setattr(tables, "BATCH_BYTES", limit)
        (entry,) = entries(tmp_path, lambda name, reason: None)
        tracemalloc.start()
        count = sum(1 for _ in tables.rows(entry, lambda name, reason: None))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 64
        return most

    assert most_held(800_000) < 3_000_000 < 12_000_000 < most_held(1 << 26)


def test_of_large_rows_fewer_are_looked_at(monkeypatch):
    content = wave_bytes(effect("bell", 0))
    monkeypatch.setattr("makar.data.table_columns.SAMPLE_BYTES", 3 * len(content))
    seen = []
    rows = ({"audio": content, "number": seen.append(number)} for number in range(50))
    assert choose_columns(rows).medium == "sound" and len(seen) == 3


def test_what_a_cell_is_its_bytes_say_as_of_a_file():
    contents = {
        "sound": wave_bytes(tone()),
        "image": png(picture(0)),
        "video": HOSTILE["m4a"].replace(b"M4A ", b"isom"),
    }
    for group, content in contents.items():
        as_text = base64.b64encode(content).decode()
        assert sniff("", content).group == group
        assert encoded_cells.kind_of(content) == encoded_cells.kind_of(as_text) == sniff("", content)
        assert encoded_cells.content_of(as_text) == content
