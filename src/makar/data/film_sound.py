"""The sound of a film, in step with its pictures, and that of M4A: read through PyAV (extra ``video``); GIF, APNG and WebP have none.

A track may begin before or after the first picture: what lies before it is cut off, where there is nothing yet is silence. More than two
channels are mixed to two. Of several tracks the first is taken, as players do.
"""

import io
import math
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from makar.data.sound import Sound
from makar.data.video_reader import INSTALL, container_of, video_library
from makar.errors import DataError, MissingExtraError

MOST_SECONDS = 3600.0
MOST_CHANNELS = 2


def read_track(content: bytes) -> Sound | None:
    """Return what is heard of a film from its first picture on, or ``None`` where it has no sound.

    Args:
        content: The bytes of the file.

    Raises:
        DataError: It is damaged, or longer than an hour.
        MissingExtraError: PyAV is not installed.
    """
    container = container_of(content[:16])
    if container is None:
        return None
    av = video_library()
    try:
        with av.open(io.BytesIO(content), format=container, metadata_errors="replace") as file:
            if not file.streams.audio:
                return None
            track = file.streams.audio[0]
            layout = "stereo" if track.channels > 1 else "mono"
            rate = int(track.rate)
            begin = _begin(file)
            blocks = list(_blocks(av, file, track, layout, begin=begin))
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise DataError(f"no sound of a film that can be read: {str(error)[:120]}") from error
    if not blocks:
        return None
    start, samples = blocks[0][0], np.concatenate([block for _, block in blocks])
    offset = round(start * rate)
    if offset < 0:
        samples = samples[-offset:]
    elif offset:
        samples = np.concatenate([np.zeros((offset, samples.shape[1]), np.float32), samples])
    return Sound(np.ascontiguousarray(samples), rate) if len(samples) else None


def track_blocks(stream: IO[bytes]) -> Iterator[Sound]:
    """Yield what is heard of a file in a container of films, from its first sample on: M4A, MKA, and MP4 and WebM without pictures.

    Args:
        stream: At its start, and able to go back.

    Raises:
        DataError: It is damaged, without sound, or PyAV is not installed.
    """
    container = container_of(stream.read(16))
    stream.seek(0)
    try:
        av = video_library()
    except MissingExtraError as error:
        raise DataError("sound in this container needs the package av (PyAV)", do=INSTALL) from error
    try:
        with av.open(stream, format=container, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise DataError("no sound in it")
            track = file.streams.audio[0]
            layout = "stereo" if track.channels > 1 else "mono"
            for _, samples in _blocks(av, file, track, layout, most_seconds=math.inf):
                yield Sound(samples, int(track.rate))
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        # The library names the file, and with it a place on this machine, behind the reason.
        reason = str(error).partition(": '")[0]
        raise DataError(f"no sound that can be read: {reason[:120]}") from error


def fitted(sound: Sound, samples: int) -> Sound:
    """Return a sound of exactly so many samples: cut off at the end, or followed by silence."""
    missing = samples - len(sound.samples)
    if missing <= 0:
        return Sound(np.ascontiguousarray(sound.samples[:samples]), sound.rate_hz)
    return Sound(np.pad(sound.samples, ((0, missing), (0, 0))), sound.rate_hz)


def _begin(file: Any) -> float:
    """Return when the first picture is shown, in the time of the file."""
    pictures = file.streams.video[0] if file.streams.video else None
    if pictures is None or pictures.start_time is None:
        return 0.0
    return float(pictures.start_time * pictures.time_base)


def _blocks(
    av: Any, file: Any, track: Any, layout: str, *, begin: float = 0.0, most_seconds: float = MOST_SECONDS
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (second after the first picture, samples float32 ``[samples, channels]``)."""
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=track.rate)
    for frame in file.decode(track):
        second = 0.0 if frame.time is None else float(frame.time) - begin
        if second > most_seconds:
            raise DataError(
                f"a film of more than {most_seconds:g} seconds", expected="a shorter one", do="cut it first"
            )
        for even in resampler.resample(frame):
            samples = np.nan_to_num(even.to_ndarray().T.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
            yield second, np.ascontiguousarray(samples)
