"""A clip, or a picture as its first frame, that is handed in: read from a file or an array, checked, and stated by its hash."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from makar.codecs.image_fit import with_channels
from makar.data.clip import Clip
from makar.data.image_reader import read_image
from makar.data.sniffing import HEAD_BYTES, sniff
from makar.data.video_reader import read_clip
from makar.errors import DataError, UsageError
from makar.generation.given_image import ImageSource, read_given_image

MOST_FRAMES = 1024
LEAST_SIDE, LARGEST_SIDE = 512, 4096
LARGEST_BYTES = 1 << 30

ClipSource = str | Path | bytes | np.ndarray | Clip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GivenClip:
    """A clip that was handed in.

    Attributes:
        clip: Its frames, opaque, at the rate of the model.
        stated: What a manifest says of it: size, sha256 of its frames and, for a file, of the file. Its name stays here.
    """

    clip: Clip
    stated: dict[str, Any]

    @property
    def is_picture(self) -> bool:
        """Whether it is a single picture."""
        return len(self.clip.frames) == 1


def read_given_clip(source: Any, *, rate_hz: float, largest_side: int = LARGEST_SIDE) -> GivenClip:
    """Read a clip or a picture.

    Args:
        source: A file of either kind, or its bytes; an array uint8 ``[rows, columns, channels]``, or
            ``[frames, rows, columns, channels]`` at the rate of the model; or a clip.
        rate_hz: The rate of the model, at which every clip is taken.
        largest_side: Frames of a video with a longer side are made smaller while they are read; what is stated of them is then of
            the smaller ones.

    Raises:
        UsageError: There is no such file, or the array is none.
        DataError: The file cannot be read.
    """
    if isinstance(source, Clip):
        return _stated(source, rate_hz, {})
    if isinstance(source, np.ndarray) and source.ndim == 4:
        if source.dtype != np.uint8 or source.shape[3] not in (1, 3, 4) or not source.size:
            raise UsageError(
                f"an array of {source.dtype} {list(source.shape)}",
                expected="uint8 [frames, rows, columns, 1, 3 or 4 channels]",
            )
        return _stated(Clip(source, rate_hz), rate_hz, {})
    if isinstance(source, np.ndarray):
        return _picture(source, rate_hz)
    if isinstance(source, bytes):
        return _read(source, rate_hz, largest_side, name="the file", picture=lambda: read_image(source))
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected="a video or a picture")
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"{path.name} is longer than {LARGEST_BYTES >> 20} MB", expected="a shorter video")
    return _read(path.read_bytes(), rate_hz, largest_side, name=str(path), picture=lambda: path)


def _read(
    content: bytes, rate_hz: float, largest_side: int, *, name: str, picture: Callable[[], ImageSource]
) -> GivenClip:
    kind = sniff(name, content[:HEAD_BYTES])
    if kind.group == "image":
        return _picture(picture(), rate_hz)
    if kind.group != "video":
        raise DataError(f"{name} cannot be read: it is no video", expected="WebM, MP4, MKV, AVI, MOV, GIF or a picture")
    try:
        clip = read_clip(content, most_frames=MOST_FRAMES, largest_side=largest_side)
    except DataError as error:
        raise DataError(f"{name} cannot be read: {error.came}", expected=error.expected, do=error.do) from error
    return _stated(clip, rate_hz, {"file_sha256": hashlib.sha256(content).hexdigest()})


def _picture(source: Any, rate_hz: float) -> GivenClip:
    given = read_given_image(source)
    return GivenClip(clip=Clip(_opaque(given.pixels[None]), rate_hz), stated=given.stated)


def _stated(clip: Clip, rate_hz: float, further: dict[str, Any]) -> GivenClip:
    count, height, width, _ = clip.frames.shape
    stated = {
        "kind": "video",
        "sha256": hashlib.sha256(clip.tobytes()).hexdigest(),
        "frames": count,
        "height": height,
        "width": width,
        "rate_hz": round(clip.rate_hz, 6),
    }
    even = clip.at_rate(rate_hz)
    return GivenClip(clip=Clip(_opaque(even.frames), rate_hz), stated=stated | further)


def _opaque(frames: np.ndarray) -> np.ndarray:
    if frames.shape[3] != 4:
        return frames
    return np.stack([with_channels(frame, 3) for frame in frames])
