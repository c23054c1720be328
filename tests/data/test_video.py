"""Videos are read in every form, at even times, by pieces; what is damaged, too long, silent of pictures or single is said so."""

import fractions
import io
import sys

import numpy as np
import pytest
from PIL import Image

from makar.codecs.video import VideoCodec, are_pictures
from makar.codecs.video_config import VideoCodecConfig
from makar.data import video_reader
from makar.data.builtin.shapes import ALL, read_shape, shape_clip
from makar.data.clip import Clip, sheet_of, strip_of
from makar.data.dataset import open_dataset
from makar.data.sniffing import sniff
from makar.data.video_file import CODINGS, FORMS, usual_form, video_bytes
from makar.data.video_reader import read_clip, read_pieces
from makar.data.wave_file import wave_bytes
from makar.errors import DataError, MissingExtraError

CLIP = shape_clip(ALL[0], 0)
LOST = {"webm": 6.0, "mp4": 6.0, "mkv": 0.0, "gif": 0.0, "apng": 0.0, "webp": 0.0}
"""Mean difference at most that a coding may make, of 255; this clip has fewer than 256 colours a frame."""


@pytest.fixture
def without_av(monkeypatch):
    """Let PyAV be absent."""
    monkeypatch.setitem(sys.modules, "av", None)


def _written(times, *, rate=1000, form="matroska"):
    """Return a file whose frames are shown at certain times; the brightness of each is ten times its number."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=form) as writing:
        stream = writing.add_stream("ffv1", rate=rate)
        stream.width = stream.height = 32
        stream.pix_fmt = "bgr0"
        stream.time_base = fractions.Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 10 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), fractions.Fraction(1, 1000)
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_comes_back(form):
    if form in CODINGS:
        pytest.importorskip("av")
    content = video_bytes(CLIP, form, comment="made")
    back = read_clip(content, most_frames=100)
    assert sniff(f"x.{form}", content[:8192]).group == "video"
    assert back.frames.shape == CLIP.frames.shape and abs(back.rate_hz - CLIP.rate_hz) < 0.5
    assert np.abs(back.frames.astype(float) - CLIP.frames).mean() <= LOST[form]
    if form != "mp4":
        # The coder of H.264 was seen to give other bytes once in three runs; what is signed is the file itself.
        assert video_bytes(CLIP, form, comment="made") == content


def test_frames_at_uneven_times_are_shown_when_they_should_be():
    content = _written([0, 0.1, 0.2, 0.7, 0.8, 0.9], rate=10)
    back = read_clip(content, most_frames=100)
    shown = (back.frames[:, 0, 0, 0] // 10).tolist()
    assert back.rate_hz == pytest.approx(10, rel=0.5) and shown == sorted(shown)
    at_ten = Clip(back.frames, back.rate_hz).at_rate(10.0).frames[:, 0, 0, 0] // 10
    assert at_ten.tolist()[:9] == [0, 1, 2, 2, 2, 2, 2, 3, 4]


def test_another_rate_keeps_the_length_and_shows_what_is_seen_then():
    clip = Clip(np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1), 12.0)
    assert clip.at_rate(4.0).frames.ravel().tolist() == [1, 4, 7, 10]
    assert clip.at_rate(24.0).frames.ravel().tolist() == [number for number in range(12) for _ in range(2)]
    assert clip.at_rate(12.0) is clip and clip.at_rate(4.0).seconds == clip.seconds == 1.0
    assert clip.held_to(14).frames.ravel().tolist()[-3:] == [11, 11, 11]


def test_a_long_video_comes_in_pieces(monkeypatch):
    monkeypatch.setattr(video_reader, "PIECE_FRAMES", 3)
    content = video_bytes(CLIP, "apng", comment="")
    pieces = list(read_pieces(io.BytesIO(content)))
    assert [len(piece.frames) for piece in pieces] == [3, 3, 2]
    assert np.array_equal(np.concatenate([piece.frames for piece in pieces]), CLIP.frames)


def test_large_pictures_are_made_smaller_while_they_are_read():
    large = Clip(np.repeat(np.repeat(CLIP.frames, 12, 1), 16, 2), 8.0)
    (piece,) = read_pieces(io.BytesIO(video_bytes(large, "gif", comment="")))
    assert piece.frames.shape[1:3] == (192, 256)


def test_odd_sides_are_written_and_read():
    pytest.importorskip("av")
    odd = Clip(CLIP.frames[:, :31, :29], 8.0)
    assert read_clip(video_bytes(odd, "webm", comment=""), most_frames=9).frames.shape == (8, 32, 30, 3)
    assert read_clip(video_bytes(odd, "mkv", comment=""), most_frames=9).frames.shape[0] == 8


@pytest.mark.parametrize("form", ["webm", "mp4", "gif"])
def test_what_is_cut_off_is_an_error_or_what_is_left_of_it(form):
    if form in CODINGS:
        pytest.importorskip("av")
    content = video_bytes(CLIP, form, comment="made")
    for share in (0.1, 0.4, 0.7):
        try:
            back = read_clip(content[: int(share * len(content))], most_frames=100)
        except DataError:
            continue
        assert 2 <= len(back.frames) <= 8


def test_what_is_no_video_is_said():
    pytest.importorskip("av")
    with pytest.raises(DataError, match="single picture"):
        read_clip(_written([0.0], rate=10), most_frames=9)
    with pytest.raises(DataError, match="no video that can be read"):
        read_clip(b"\x1aE\xdf\xa3" + bytes(200), most_frames=9)
    with pytest.raises(DataError, match=r"5\.0 hours"):
        read_clip(_written([0.0, 1.0, 5 * 3600.0], rate=10), most_frames=9)
    with pytest.raises(DataError, match="more than 4 frames"):
        read_clip(video_bytes(CLIP, "webm", comment=""), most_frames=4)


def test_a_file_with_sound_alone_has_no_picture():
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as writing:
        stream = writing.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        writing.mux(stream.encode(frame))
        writing.mux(stream.encode())
    with pytest.raises(DataError, match="only sound"):
        read_clip(file.getvalue(), most_frames=9)


def test_without_the_package_animations_are_read_and_others_say_what_to_install(without_av):
    assert usual_form() == "gif"
    back = read_clip(video_bytes(CLIP, "apng", comment=""), most_frames=9)
    assert np.array_equal(back.frames, CLIP.frames)
    with pytest.raises(DataError, match="PyAV") as refused:
        read_clip(b"\x1aE\xdf\xa3" + bytes(100), most_frames=9)
    assert "pip install" in str(refused.value.do)
    with pytest.raises(MissingExtraError):
        video_bytes(CLIP, "webm", comment="")


def test_a_playlist_is_not_followed(tmp_path):
    (tmp_path / "secret.webm").write_bytes(b"x")
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.webm\n"
    assert sniff("x.mp4", playlist.encode()).group == "text"
    pytest.importorskip("av")
    with pytest.raises(DataError):
        read_clip(playlist.encode(), most_frames=9)


def test_a_folder_of_videos_with_classes_captions_and_what_is_no_use(tmp_path):
    for moving in ALL[:8]:
        place = tmp_path / moving.direction
        place.mkdir(exist_ok=True)
        for number in range(3):
            name = f"{moving.colour}-{moving.shape}-{number}"
            (place / f"{name}.gif").write_bytes(video_bytes(shape_clip(moving, number), "gif", comment=""))
            (place / f"{name}.txt").write_text(moving.caption, encoding="utf-8")
    (tmp_path / "left" / "broken.webm").write_bytes(b"\x1aE\xdf\xa3nothing")
    (tmp_path / "left" / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    found = open_dataset(tmp_path)
    inspection = found.inspection
    assert found.medium == "video" and set(inspection.labels) == {"left", "right", "up", "down"}
    assert inspection.captions == 24 and inspection.sizes["videos"] <= 24
    assert inspection.sizes["seconds"]["median"] == pytest.approx(1.0, abs=0.1)
    assert "HEIF" in str(inspection.skipped) and "no video that can be read" in str(inspection.skipped)
    record = next(found.records("train"))
    assert isinstance(record.content, Clip) and record.caption.startswith("a ") and record.label in record.document


def test_folders_of_numbered_pictures_are_videos_where_they_are_asked_for(tmp_path):
    for moving in ALL[::4]:
        place = tmp_path / moving.shape / moving.colour
        place.mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(shape_clip(moving, 0).frames):
            # Numbers, not letters, give the order.
            Image.fromarray(frame).save(place / f"frame{number + 5}.png")
    found = open_dataset(tmp_path, medium="video")
    assert found.inspection.sizes["videos"] == 12 and set(found.inspection.labels) == {"disc", "square", "triangle"}
    records = [record for split in ("train", "inner", "held_out") for record in found.records(split)]
    by_name = {record.document: record.content for record in records}
    assert np.array_equal(by_name["disc/red"].frames, shape_clip(ALL[0], 0).frames)
    assert open_dataset(tmp_path).medium == "image"


@pytest.mark.parametrize("medium", [None, "video"])
def test_pictures_beside_videos_are_clips_of_one_frame(tmp_path, medium):
    some = ALL[::9]
    for moving in some:
        place = tmp_path / moving.shape
        place.mkdir(exist_ok=True)
        (place / f"{moving.colour}{moving.direction}.gif").write_bytes(
            video_bytes(shape_clip(moving, 0), "gif", comment="")
        )
    for number, moving in enumerate(some[:4]):
        Image.fromarray(shape_clip(moving, 1).frames[0]).save(tmp_path / moving.shape / f"{number:04d}.png")
    found = open_dataset(tmp_path, medium=medium)
    sizes = found.inspection.sizes
    assert any("4 pictures among the videos" in note for note in found.inspection.notes)
    assert found.medium == "video" and sizes["videos"] == 10 and sizes["pictures_among_them"] == 4
    assert sizes["seconds"]["least"] == pytest.approx(1.0, abs=0.02) and sizes["rate_hz"]["most"] == pytest.approx(
        8, abs=0.5
    )
    records = [record for split in ("train", "inner", "held_out") for record in found.records(split)]
    pictures = [record for record in records if len(record.content.frames) == 1]
    assert len(pictures) == 4 and {record.label for record in pictures} == {moving.shape for moving in some[:4]}
    codec = VideoCodec.fit(VideoCodecConfig(height=16, width=16, rate_hz=12.0), iter(records))
    cut = list(codec.cut(pictures))
    stored = np.stack([codec.encode(record)["target"] for record in cut])
    moves = np.stack([codec.encode(record)["target"] for record in records if len(record.content.frames) > 1])
    assert len(cut) == 4 and are_pictures(stored, 8).all() and not are_pictures(moves, 8).any()


def test_of_an_animation_the_first_picture_is_one_where_images_are_wanted(tmp_path):
    for number in range(6):
        clip = shape_clip(ALL[number], 0)
        (tmp_path / f"{number}.gif").write_bytes(video_bytes(clip, "gif", comment=""))
    images = open_dataset(tmp_path, medium="image")
    assert images.inspection.sizes["images"] == 6
    assert next(images.records("train")).content.shape == (32, 32, 3)
    assert open_dataset(tmp_path).medium == "video"


def test_metadata_says_what_a_video_shows(tmp_path):
    rows = ["file_name,text,label"]
    for number, moving in enumerate(ALL[:6]):
        (tmp_path / f"{number}.gif").write_bytes(video_bytes(shape_clip(moving, 0), "gif", comment=""))
        rows.append(f"{number}.gif,{moving.caption},{moving.direction}")
    (tmp_path / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    inspection = open_dataset(tmp_path).inspection
    assert inspection.captions == 6 and sum(inspection.labels.values()) == 6


def test_what_the_built_in_videos_show_can_be_read_off_their_pixels():
    for moving in ALL:
        assert read_shape(shape_clip(moving, 7).frames) == moving
    still = np.repeat(CLIP.frames[:1], 8, 0)
    assert read_shape(np.full_like(still, 24)) is None
    backwards = read_shape(CLIP.frames[::-1])
    assert backwards is not None and backwards.direction == "right" and ALL[0].direction == "left"


def test_a_sheet_is_read_like_a_page_and_a_strip_from_left_to_right():
    frames = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    sheet = sheet_of(frames)
    assert sheet.shape == (4, 6, 1) and sheet[::2, ::3, 0].tolist() == [[0, 2], [4, 6]]
    assert strip_of(frames).shape == (2, 7 * 3 + 6, 1)


def test_a_clip_that_no_machine_holds_is_refused(monkeypatch):
    content = video_bytes(shape_clip(ALL[0], 0), "gif", comment="")
    monkeypatch.setattr(video_reader, "MOST_CLIP_BYTES", 8 * 32 * 32 * 3)
    assert len(read_clip(content, most_frames=9).frames) == 8
    monkeypatch.setattr(video_reader, "MOST_CLIP_BYTES", 8 * 32 * 32 * 3 - 1)
    with pytest.raises(DataError, match="held as a whole"):
        read_clip(content, most_frames=9)


def test_a_sound_file_is_no_video():
    from makar.data.builtin.effects import effect

    assert sniff("x.mp4", wave_bytes(effect("bell", 0))[:100]).group == "sound"
    assert sniff("x.mp4", b"\0\0\0\x20ftypM4A " + bytes(50)).group == "sound"
