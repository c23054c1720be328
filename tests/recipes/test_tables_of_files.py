"""A table of sounds or of videos is trained on like a folder of them: by its labels, by its words."""

import base64
import json

import pyarrow
import pyarrow.parquet
import pytest

from makar.data.builtin.effects import effect
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.video_file import video_bytes
from makar.data.wave_file import wave_bytes
from tests.cli.small_models import IMAGE_SETTINGS, see


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Keep what is made here."""
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_a_table_of_sounds_with_labels_is_trained_on():
    rows = [(kind, number) for number in range(12) for kind in ("bell", "drum")]
    cells = [{"bytes": wave_bytes(effect(kind, number)), "path": f"{kind}{number}.wav"} for kind, number in rows]
    pyarrow.parquet.write_table(pyarrow.table({"audio": cells, "label": [kind for kind, _ in rows]}), "sounds.parquet")
    assert see("inspect", "sounds.parquet", "--json").values["labels"] == {"bell": 12, "drum": 12}
    plan = see("train", "sounds.parquet", "--steps", "2", *IMAGE_SETTINGS, "-o", "model", "--json").values["plan"]
    assert plan["recipe"]["name"] == "sound-class"
    made = see("generate", "model", "--label", "drum", "-o", "drum.wav", "--json").values
    assert made[0]["manifest"]["content"]["kind"] == "sound"


@pytest.mark.slow
def test_a_table_of_videos_in_base64_with_words_is_trained_on(tmp_path):
    clips = [(shape_clip(moving, number), moving.caption) for moving in ALL[::4] for number in range(2)]
    rows = [
        {"video": base64.b64encode(video_bytes(clip, "gif", comment="")).decode(), "text": caption}
        for clip, caption in clips
    ]
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    inspected = see("inspect", "clips.jsonl", "--json").values
    assert inspected["medium"] == "video" and inspected["captions"] == len(rows)
    sizes = ("--set", "stages.0.codec.height=16", "--set", "stages.0.codec.width=16")
    plan = see("train", "clips.jsonl", "--steps", "2", *sizes, *IMAGE_SETTINGS, "-o", "model", "--json").values["plan"]
    assert plan["recipe"]["name"] == "video-text"
    made = see("generate", "model", "a red disc moves left", "-o", "x.gif", "--json").values
    assert made[0]["manifest"]["content"]["kind"] == "video"
