"""The sound of a film, in step with its pictures: read through PyAV (extra ``video``); GIF, APNG and WebP have none.

A track may begin before or after the first picture: what lies before it is cut off, where there is nothing yet is silence. More than two
channels are mixed to two. Of several tracks the first is taken, as players do.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.data.sound import Sound
from makar.data.video_reader import container_of, video_library
from makar.errors import DataError

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
            blocks = list(_blocks(av, file, track, layout, begin))
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


def _blocks(av: Any, file: Any, track: Any, layout: str, begin: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (second after the first picture, samples float32 ``[samples, channels]``)."""
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=track.rate)
    for frame in file.decode(track):
        second = 0.0 if frame.time is None else float(frame.time) - begin
        if second > MOST_SECONDS:
            raise DataError(
                f"a film of more than {MOST_SECONDS:g} seconds", expected="a shorter one", do="cut it first"
            )
        for even in resampler.resample(frame):
            samples = np.nan_to_num(even.to_ndarray().T.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
            yield second, np.ascontiguousarray(samples)
