"""A clip is kept as the channels of its frames; long ones are cut, short ones held, and the codec of a model of images serves too."""

import numpy as np
import pytest

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.video import VideoCodec, frames_of
from makar.codecs.video_config import VideoCodecConfig, choose_video_codec
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.clip import Clip
from makar.data.record import Record
from tests.contract import samples


def _record(clip, **further):
    return Record(id="0", medium="video", content=clip, document="d", source="s", split="train", **further)


@pytest.fixture(scope="module")
def codec():
    config = VideoCodecConfig(frames=4, rate_hz=8.0, height=16, width=24, use_labels=True)
    return VideoCodec.fit(config, iter(samples.records("video")))


def _numbered(count, rate_hz):
    """Return a clip whose frames are as bright as their numbers."""
    frames = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 24, 3), np.uint8)
    return Clip(frames, rate_hz)


def test_a_clip_is_kept_frame_after_frame(codec):
    slots = codec.encode(_record(_numbered(4, 8.0), label="odd"))
    assert slots["target"].shape == (12, 16, 24) and codec.spec["target"].frames == 4
    assert slots["target"][:, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert np.array_equal(frames_of(slots["target"][None], 4)[0], _numbered(4, 8.0).frames)
    back = codec.decode({"target": codec.to_model("target", slots["target"])})
    assert back == _numbered(4, 8.0)


def test_a_long_clip_is_cut_and_a_rest_counts_from_half_on(codec):
    def cut(count, rate_hz):
        return [clip.frames[:, 0, 0, 0].tolist() for clip in codec.cuts(_numbered(count, rate_hz))]

    assert cut(8, 8.0) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert cut(6, 8.0) == [[0, 1, 2, 3], [4, 5, 5, 5]] and cut(5, 8.0) == [[0, 1, 2, 3]]
    assert cut(2, 8.0) == [[0, 1, 1, 1]]
    assert cut(24, 48.0) == [[3, 9, 15, 21]]


def test_every_piece_of_a_long_video_is_an_example(codec):
    cut = list(codec.cut([_record(_numbered(20, 8.0), label="even"), _record(_numbered(3, 8.0), label="odd")]))
    assert [record.label for record in cut] == ["even"] * 5 + ["odd"]
    assert all(codec.encode(record)["target"].shape == (12, 16, 24) for record in cut)


def test_a_codec_of_images_serves_for_clips(codec):
    images = ImageCodec(
        ImageCodecConfig(height=16, width=24, channels=3, use_labels=True), class_counts={"even": 1, "odd": 1}
    )
    begun = VideoCodec.from_files(VideoCodecConfig(frames=4, height=16, width=24, use_labels=True), images.files())
    assert begun.class_names == codec.class_names == ("even", "odd") and begun.spec["target"] == codec.spec["target"]


def test_grey_clips_have_one_channel():
    grey = [Clip(np.repeat(shape_clip(moving, 0).frames[..., :1], 3, 3), 8.0) for moving in ALL[:4]]
    fitted = VideoCodec.fit(VideoCodecConfig(frames=8), iter([_record(clip) for clip in grey]))
    assert fitted.config.channels == 1 and fitted.spec["target"].sizes == (8, 32, 32)


def test_clips_are_compared_by_four_of_their_frames(codec):
    clips = [shape_clip(moving, 0) for moving in ALL[:3]]
    planes = np.stack([codec.planes(clip.frames[:4]) for clip in clips])
    sheets = codec.compared(planes)
    assert sheets.shape == (3, 3, 32, 48)
    assert np.array_equal(sheets[1].transpose(1, 2, 0), codec.sheet(Clip(frames_of(planes, 4)[1], 8.0)))


@pytest.mark.parametrize(
    "seconds, own, rate",
    [(1.0, 8.0, 8.0), (10.0, 25.0, 8.0), (0.32, 25.0, 25.0), (0.5, 60.0, 16.0), (4.0, 5.0, 5.0)],
)
def test_the_rate_is_no_higher_than_needed_and_than_the_data_has(seconds, own, rate):
    sizes = {
        "height": {"median": 64},
        "width": {"median": 64},
        "seconds": {"median": seconds},
        "rate_hz": {"median": own},
    }
    chosen = choose_video_codec(sizes, VideoCodecConfig())
    assert chosen.rate_hz == rate and (chosen.height, chosen.width) == (32, 32)
    assert choose_video_codec(sizes, VideoCodecConfig(rate_hz=12.0)).rate_hz == 12.0
