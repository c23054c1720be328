"""Video files as clips of even times, read as a stream: GIF, APNG and WebP through Pillow, all others through PyAV (extra ``video``).

Frames come with the times at which they are shown; a clip shows at each of its even times the picture that was last seen then, so a
variable rate is resampled and not ignored. Pictures are made smaller while they are read, a long video comes in pieces and is never held,
and one that would take hours to read is refused. The demuxer is named by what the file begins with: left to guess, the library would
follow a playlist to other files.
"""

import contextlib
import io
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
from PIL import Image

from makar.data.clip import Clip
from makar.data.image_reader import PIXEL_LIMIT, read_image
from makar.errors import DataError, MissingExtraError
from makar.optional import library

PIECE_FRAMES = 128
LARGEST_SIDE = 256
"""Pictures of training data are made no larger than this: no codec takes larger ones."""

MOST_CLIP_BYTES = 2 << 30
"""Of the pictures of a clip that is held as a whole; twice as much while its pieces are joined."""

LONGEST_SECONDS = 3600.0
HIGHEST_RATE_HZ = 60.0
FOLDER_RATE_HZ = 8.0
"""Of pictures in a folder, which say nothing of time."""

LEAST_FRAMES = 2
USUAL_GIF_SECONDS = 0.1
"""What players take where a file says no time, or nearly none."""

ANIMATIONS = ("GIF", "PNG", "WEBP")
INSTALL = "pip install 'makar[video]'"

Shown = tuple[float, np.ndarray]
"""(second at which a frame appears, uint8 ``[height, width, channels]``)."""


def read_pieces(
    stream: IO[bytes], *, largest_side: int = LARGEST_SIDE, piece_frames: int | None = None
) -> Iterator[Clip]:
    """Yield a video in pieces.

    Args:
        stream: At its start, and able to go back.
        largest_side: Pictures with a longer side are made smaller.
        piece_frames: Frames of a piece at most; ``None`` takes ``PIECE_FRAMES``.

    Raises:
        DataError: It is damaged, of a form that is not read, too long, without a picture, or a single picture.
    """
    head = stream.read(16)
    stream.seek(0)
    found = 0
    with contextlib.closing(_shown(stream, head, largest_side)) as shown:
        rate = next(shown)
        assert isinstance(rate, float)
        for clip in _even(shown, rate, piece_frames or PIECE_FRAMES):
            found += len(clip.frames)
            yield clip
    if found < LEAST_FRAMES:
        raise DataError(
            "a single picture and no video", expected=f"at least {LEAST_FRAMES} frames", do="use it as an image"
        )


def read_clip(content: bytes, *, most_frames: int, largest_side: int = 4096) -> Clip:
    """Return a whole video.

    Args:
        content: The bytes of the file.
        most_frames: Of a longer one nothing is returned.
        largest_side: Pictures with a longer side are made smaller.

    Raises:
        DataError: It is damaged, of a form that is not read, or too long.
    """
    pieces, frames, numbers = [], 0, 0
    for piece in read_pieces(io.BytesIO(content), largest_side=largest_side):
        pieces.append(piece)
        frames += len(piece.frames)
        numbers += piece.frames.nbytes
        if frames > most_frames:
            raise DataError(f"a video of more than {most_frames} frames", expected="a shorter one", do="cut it first")
        if numbers > MOST_CLIP_BYTES:
            raise DataError(
                f"a video whose pictures take more than {MOST_CLIP_BYTES >> 30} GB, and which is held as a whole",
                expected="a shorter or smaller one",
                do="cut it first, or make its pictures smaller",
            )
    return Clip(np.concatenate([piece.frames for piece in pieces]), pieces[0].rate_hz)


def read_numbered(
    paths: list[Path],
    *,
    rate_hz: float = FOLDER_RATE_HZ,
    largest_side: int = LARGEST_SIDE,
    piece_frames: int = PIECE_FRAMES,
) -> Iterator[Clip]:
    """Yield the pictures of a folder, in their order, as a video in pieces.

    Args:
        paths: Image files of one size.
        rate_hz: Frames a second.
        largest_side: Larger pictures are made smaller.
        piece_frames: Frames of a piece at most.

    Raises:
        DataError: One cannot be read, or they differ in size.
    """
    shape: tuple[int, ...] | None = None
    for start in range(0, len(paths), piece_frames):
        frames = []
        for path in paths[start : start + piece_frames]:
            try:
                frame = _smaller(read_image(path.read_bytes()), largest_side)
            except OSError as error:
                raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
            shape = shape or frame.shape
            if frame.shape != shape:
                raise DataError(f"{path.name} differs from the pictures before it in size or colours")
            frames.append(frame)
        yield Clip(np.stack(frames), rate_hz)


def picture_clip(content: bytes) -> Clip:
    """Return a picture as a clip of one frame, made no larger than those of training data.

    Args:
        content: The bytes of the file.

    Raises:
        DataError: It cannot be read.
    """
    return Clip(_smaller(read_image(content), LARGEST_SIDE)[None], FOLDER_RATE_HZ)


def video_library() -> ModuleType:
    """Return PyAV.

    Raises:
        MissingExtraError: It is not installed.
    """
    return library("av", extra="video")


def _shown(stream: IO[bytes], head: bytes, largest_side: int) -> Any:
    """Return an iterator over the rate of a file and then its frames with their times."""
    container = container_of(head)
    return _animation(stream, largest_side) if container is None else _decoded(stream, container, largest_side)


def container_of(head: bytes) -> str | None:
    """Return the demuxer for what a file begins with; ``None`` for GIF, APNG and WebP, which have none and hold no sound.

    Args:
        head: The first 16 bytes.
    """
    if head[:4] == b"GIF8" or head[:8] == b"\x89PNG\r\n\x1a\n" or head[8:12] == b"WEBP":
        return None
    return "matroska" if head[:4] == b"\x1aE\xdf\xa3" else "avi" if head[8:12] == b"AVI " else "mov"


def _animation(stream: IO[bytes], largest_side: int) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(stream, formats=ANIMATIONS) as image:
                if image.width * image.height > PIXEL_LIMIT:
                    raise DataError(f"frames of {image.width} x {image.height} pixels, too large")
                pictures = _pictures(image, largest_side)
                # The first times say the rate; what comes later at other times is resampled.
                begun = list(itertools.islice(pictures, 64))
                lengths = [length for length, _ in begun]
                yield min(HIGHEST_RATE_HZ, 1 / float(np.median(lengths)))
                now = 0.0
                for length, picture in itertools.chain(begun, pictures):
                    yield now, picture
                    now += length
                # Nothing new is shown then, but until then the last picture is.
                yield now, None
        except DataError:
            raise
        except Exception as error:  # Pillow's decoders raise any kind of exception on damaged files
            raise DataError(f"damaged animation: {str(error)[:120] or type(error).__name__}") from error


def _pictures(image: Image.Image, largest_side: int) -> Iterator[Shown]:
    for number in itertools.count():
        try:
            image.seek(number)
        except EOFError:
            return
        image.load()
        length = float(image.info.get("duration") or 0) / 1000
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        pixels = np.asarray(Image.alpha_composite(white, opaque).convert("RGB"))
        yield length if length > 0.011 else USUAL_GIF_SECONDS, _smaller(pixels, largest_side)


def _decoded(stream: IO[bytes], container: str, largest_side: int) -> Iterator[Any]:
    try:
        av = video_library()
    except MissingExtraError as error:
        raise DataError("a video needs the package av (PyAV)", do=INSTALL) from error
    try:
        with av.open(stream, format=container, metadata_errors="replace") as file:
            if not file.streams.video:
                raise DataError("no picture in it, only sound")
            video = file.streams.video[0]
            if video.width * video.height > PIXEL_LIMIT:
                raise DataError(f"frames of {video.width} x {video.height} pixels, too large")
            length = float(file.duration or 0) / av.time_base
            if length > LONGEST_SECONDS:
                raise DataError(_too_long(length))
            video.thread_count = 1
            rate = video.average_rate or video.guessed_rate or 0
            yield min(HIGHEST_RATE_HZ, float(rate)) if rate else 25.0
            first, last, step = None, 0.0, 0.0
            for frame in file.decode(video):
                if frame.time is None:
                    continue
                first = frame.time if first is None else first
                step, last = float(frame.time) - first - last, float(frame.time) - first
                if last > LONGEST_SECONDS:
                    raise DataError(_too_long(last))
                yield last, _pixels_of(frame, largest_side)
            if first is not None:
                yield last + (step or 1 / 25), None
    except DataError:
        raise
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise DataError(f"no video that can be read: {str(error)[:120]}") from error


def _pixels_of(frame: Any, largest_side: int) -> np.ndarray:
    factor = min(1.0, largest_side / max(frame.width, frame.height))
    width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
    pixels = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA" if factor < 1 else None)
    # Phones write upright videos lying down, with a note how to turn them.
    return np.ascontiguousarray(np.rot90(pixels.to_ndarray(), round(frame.rotation / 90) % 4))


def _even(shown: Iterator[Any], rate_hz: float, piece_frames: int) -> Iterator[Clip]:
    """Yield what is shown at the times 0, 1/rate, 2/rate ..., in pieces; the last entry of ``shown`` says only when it ends."""
    waiting: list[np.ndarray] = []
    held, number = None, 0
    for second, picture in shown:
        # Half a frame of slack: times are rounded to thousandths in many containers.
        while held is not None and (number + 0.5) / rate_hz <= second:
            waiting.append(held)
            number += 1
            if len(waiting) == piece_frames:
                yield Clip(np.stack(waiting), rate_hz)
                waiting = []
        if picture is not None and held is not None and picture.shape != held.shape:
            raise DataError("its frames differ in size")
        held = held if picture is None else picture
    if waiting:
        yield Clip(np.stack(waiting), rate_hz)


def _smaller(pixels: np.ndarray, largest_side: int) -> np.ndarray:
    factor = largest_side / max(pixels.shape[:2])
    if factor >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    smaller = np.asarray(image.resize(size, Image.Resampling.BOX))
    return np.ascontiguousarray(smaller if smaller.ndim == 3 else smaller[:, :, None])


def _too_long(seconds: float) -> str:
    return f"a video of {seconds / 3600:.1f} hours, longer than {LONGEST_SECONDS / 3600:g}: cut it into parts"
