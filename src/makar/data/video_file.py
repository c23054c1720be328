"""Clips as files: WebM (VP9), MP4 (H.264), MKV (FFV1, exact) through PyAV (extra ``video``); GIF, APNG and WebP through Pillow.

VP9 in WebM is usual: every browser plays it and no licence is needed. GIF has 256 colours a frame, APNG, WebP and MKV give back every
pixel. The same clip gives the same bytes on one machine, but for MP4 now and then: one thread, and no random
identifiers. Containers need even sides; an odd one gets a row or column more, a copy of the last.
"""

import fractions
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from makar.data.clip import Clip
from makar.data.video_reader import video_library
from makar.errors import MissingExtraError, UnsupportedError

CODINGS: Mapping[str, tuple[str, str, str, Mapping[str, str]]] = {
    "webm": ("webm", "libvpx-vp9", "yuv420p", {"crf": "16", "b": "0", "deadline": "good", "cpu-used": "4"}),
    "mp4": ("mp4", "libx264", "yuv420p", {"crf": "16"}),
    "mkv": ("matroska", "ffv1", "bgr0", {}),
}
"""Container, coding, layout of colours and settings of each form that PyAV writes."""

ANIMATIONS = {"gif": "GIF", "apng": "PNG", "webp": "WEBP"}
FORMS = (*CODINGS, *ANIMATIONS)
TYPES = {
    "webm": "video/webm",
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "gif": "image/gif",
    "apng": "image/apng",
    "webp": "image/webp",
}


def usual_form() -> str:
    """Return the form that a clip is written in where none is asked for: WebM, or GIF where PyAV is not installed."""
    try:
        video_library()
    except MissingExtraError:
        return "gif"
    return "webm"


def video_bytes(clip: Clip, form: str, *, comment: str) -> bytes:
    """Return a clip as a file.

    Args:
        clip: The clip.
        form: Of ``FORMS``.
        comment: What the file says of itself.

    Raises:
        UnsupportedError: There is no such form.
        MissingExtraError: The form needs PyAV.
    """
    if form in ANIMATIONS:
        return _animation(clip, form, comment)
    if form not in CODINGS:
        raise UnsupportedError(f'a video as "{form}"', expected=", ".join(FORMS))
    av = video_library()
    container, coding, layout, settings = CODINGS[form]
    frames = _even_sides(_in_colour(clip.frames))
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as writing:
        writing.metadata["comment"] = comment
        rate = fractions.Fraction(clip.rate_hz).limit_denominator(1000)
        stream = writing.add_stream(coding, rate=rate, options={**settings, "flags": "+bitexact"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = layout
        stream.thread_count = 1
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                writing.mux(packet)
        for packet in stream.encode():
            writing.mux(packet)
    return file.getvalue()


def _animation(clip: Clip, form: str, comment: str) -> bytes:
    images = [Image.fromarray(frame) for frame in _in_colour(clip.frames)]
    # Times of frames are whole, hundredths of a second in a GIF: what is left over goes to the frames after.
    unit = 10 if form == "gif" else 1
    edges = np.round(np.arange(len(images) + 1) * 1000 / clip.rate_hz / unit).astype(int) * unit
    # Equal frames would be joined to one that is shown longer; a clip that stands still stays one frame for each time.
    settings: dict[str, object] = {"save_all": True, "append_images": images[1:], "loop": 0}
    settings["duration"] = [int(max(unit, length)) for length in np.diff(edges)]
    if form == "gif":
        settings["comment"] = comment.encode("ascii", "replace")
    elif form == "webp":
        settings["lossless"] = True
    file = io.BytesIO()
    images[0].save(file, ANIMATIONS[form], **settings)
    return file.getvalue()


def _in_colour(frames: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames[..., :3])


def _even_sides(frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
