"""Films as files: WebM (VP9, Opus), MP4 (H.264, AAC), MKV (FFV1, FLAC) through PyAV (extra ``video``); GIF, APNG, WebP through Pillow.

VP9 in WebM is usual: every browser plays it and no licence is needed. GIF has 256 colours a frame, APNG, WebP and MKV give back every
pixel, MKV every sample of 16 bits too; GIF, APNG and WebP hold no sound. The same film gives the same bytes on one machine, but for MP4
now and then: one thread, and no random identifiers. VP9 and H.264 need even sides; an odd one gets a row or column more, a copy of the
last. Frames are taken one by one, so that a long film is never held; sound is written as far as the pictures are, so that a player has
both.
"""

import fractions
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from makar.data.clip import Clip
from makar.data.sound import Sound, resampled
from makar.data.video_reader import video_library
from makar.data.wave_file import on_grid
from makar.errors import MissingExtraError, UnsupportedError

CODINGS: Mapping[str, tuple[str, str, str, Mapping[str, str]]] = {
    "webm": ("webm", "libvpx-vp9", "yuv420p", {"crf": "16", "b": "0", "deadline": "good", "cpu-used": "4"}),
    "mp4": ("mp4", "libx264", "yuv420p", {"crf": "16"}),
    "mkv": ("matroska", "ffv1", "bgr0", {}),
}
"""Container, coding, layout of colours and settings of each form that PyAV writes."""

SOUND_CODINGS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "webm": ("libopus", {"b": "128000"}),
    "mp4": ("aac", {"b": "160000"}),
    "mkv": ("flac", {}),
}
"""Coding and settings of the sound in each of them."""

OPUS_RATE_HZ = 48_000
AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
MOST_CHANNELS = 2
BLOCK_SAMPLES = 1024

ANIMATIONS = {"gif": "GIF", "apng": "PNG", "webp": "WEBP"}
MOST_ANIMATED_PIXELS = 100_000_000
"""Of all frames together: Pillow holds them all while it writes."""

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


def video_bytes(clip: Clip, form: str, *, comment: str, sound: Sound | None = None) -> bytes:
    """Return a clip as a file, as ``film_bytes`` does."""
    return film_bytes(clip.frames, form, rate_hz=clip.rate_hz, comment=comment, sound=sound)


def film_bytes(
    frames: Iterable[np.ndarray], form: str, *, rate_hz: float, comment: str, sound: Sound | None = None
) -> bytes:
    """Return a film as a file.

    Args:
        frames: uint8 ``[height, width, channels]`` each, of one size, at least one.
        form: Of ``FORMS``.
        rate_hz: Frames a second.
        comment: What the file says of itself.
        sound: What is heard, from the first frame on; more than two channels are mixed to one. A rate that the coding does not
            have is resampled.

    Raises:
        UnsupportedError: There is no such form, it has no room for sound, or holds no film of that size.
        MissingExtraError: The form needs PyAV.
    """
    if form in ANIMATIONS:
        if sound is not None:
            raise UnsupportedError(f"sound in a video as {form}", expected=f"a form with sound: {', '.join(CODINGS)}")
        return _animation(frames, form, rate_hz=rate_hz, comment=comment)
    if form not in CODINGS:
        raise UnsupportedError(f'a video as "{form}"', expected=", ".join(FORMS))
    av = video_library()
    container, coding, layout, settings = CODINGS[form]
    shown = (_in_colour(frame) for frame in frames)
    if layout == "yuv420p":
        shown = (_even_sides(frame) for frame in shown)
    first = next(iter(shown))
    rate = fractions.Fraction(rate_hz).limit_denominator(1000)
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as writing:
        writing.metadata["comment"] = comment
        stream = writing.add_stream(coding, rate=rate, options={**settings, "flags": "+bitexact"})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = layout
        stream.thread_count = 1
        track = None if sound is None else _Track(av, writing, sound, form)
        for number, frame in enumerate(itertools.chain([first], shown), start=1):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                writing.mux(packet)
            if track is not None:
                track.write_until(number / rate_hz)
        for packet in stream.encode():
            writing.mux(packet)
        if track is not None:
            track.finish()
    return file.getvalue()


class _Track:
    """The sound of a film while it is written."""

    def __init__(self, av: Any, writing: Any, sound: Sound, form: str) -> None:
        coding, settings = SOUND_CODINGS[form]
        if sound.samples.shape[1] > MOST_CHANNELS:
            sound = Sound(sound.mono()[:, None], sound.rate_hz)
        sound = resampled(sound, _rate_of(sound.rate_hz, coding))
        layout = "mono" if sound.samples.shape[1] == 1 else "stereo"
        self._av, self._writing, self._layout = av, writing, layout
        self._samples, self._rate_hz = np.ascontiguousarray(sound.samples.T), sound.rate_hz
        self._stream = writing.add_stream(
            coding, rate=sound.rate_hz, layout=layout, options={**settings, "flags": "+bitexact"}
        )
        if coding == "flac":
            is_16_bits = np.array_equal(on_grid(self._samples), self._samples)
            self._stream.codec_context.format = "s16" if is_16_bits else "s32"
        self._written = 0

    def write_until(self, second: float) -> None:
        """Write what is heard before a time, in whole blocks."""
        while self._written < min(second * self._rate_hz, self._samples.shape[1]):
            block = self._samples[:, self._written : self._written + BLOCK_SAMPLES]
            heard = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self._layout)
            heard.sample_rate = self._rate_hz
            heard.time_base = fractions.Fraction(1, self._rate_hz)
            heard.pts = self._written
            self._written += block.shape[1]
            self._writing.mux(self._stream.encode(heard))

    def finish(self) -> None:
        """Write the rest."""
        self.write_until(np.inf)
        self._writing.mux(self._stream.encode())


def _rate_of(rate_hz: int, coding: str) -> int:
    if coding == "libopus":
        return OPUS_RATE_HZ
    if coding == "aac":
        return next((rate for rate in AAC_RATES_HZ if rate >= rate_hz), AAC_RATES_HZ[-1])
    return rate_hz


def _animation(frames: Iterable[np.ndarray], form: str, *, rate_hz: float, comment: str) -> bytes:
    images = [Image.fromarray(frame) for frame in _counted(frames, form)]
    # Times of frames are whole, hundredths of a second in a GIF: what is left over goes to the frames after.
    unit = 10 if form == "gif" else 1
    edges = np.round(np.arange(len(images) + 1) * 1000 / rate_hz / unit).astype(int) * unit
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


def _counted(frames: Iterable[np.ndarray], form: str) -> Iterator[np.ndarray]:
    """Yield frames in colour as long as there are not too many."""
    pixels = 0
    for frame in frames:
        pixels += frame.shape[0] * frame.shape[1]
        if pixels > MOST_ANIMATED_PIXELS:
            raise UnsupportedError(
                f"a video as {form} of more than {MOST_ANIMATED_PIXELS:,} pixels, all frames together",
                expected=f"a shorter or smaller one, or a form for films: {', '.join(CODINGS)}",
            )
        yield _in_colour(frame)


def _in_colour(frame: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame[..., :3])


def _even_sides(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if height % 2 or width % 2 else frame
