"""A film that is handed in to be edited without a model: its pictures one by one, its sound, and what is known of who made it.

The pictures of a film are never held together. They are read twice: once at a few pixels each, to know how many there are and that the
file is whole before anything is written, then at their size. A film that carries a signed manifest, inside or beside it, hands it on to
what is made of it; one that says without a manifest that a trained algorithm had a part in it is believed.
"""

import dataclasses
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from makar.codecs.image_fit import with_channels
from makar.data.clip import Clip
from makar.data.film_sound import read_track
from makar.data.frame_folders import FrameFolders
from makar.data.sniffing import HEAD_BYTES, sniff
from makar.data.sound import Sound
from makar.data.video_reader import FOLDER_RATE_HZ, read_numbered, read_pieces
from makar.errors import DataError, IntegrityError, UsageError
from makar.generation.given_sound import read_given_bytes
from makar.provenance.embedding import sidecar_path, source_mark
from makar.provenance.folder import read_limited
from makar.provenance.manifest import read_signed, read_strict_json

LARGEST_SIDE = 8192
COUNTED_SIDE = 16
"""Pictures that are only counted are read at this size."""

PIECE_FRAMES = 4
LARGEST_PICTURE_BYTES = 1 << 28


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GivenFilm:
    """A film that was handed in.

    Attributes:
        name: What a message calls it.
        count: Frames.
        rate_hz: Frames a second.
        height: Height of every frame in pixels.
        width: Width in pixels.
        stated: What a manifest says of it; its name stays here.
        mark: The IPTC word by which it says that a trained algorithm had a part in it; ``None`` where it does not.
        pictures: Gives its frames from the first on, uint8 ``[height, width, 3]``.
        sound: Gives what is heard, ``None`` where there is nothing.
    """

    name: str
    count: int
    rate_hz: float
    height: int
    width: int
    stated: dict[str, Any]
    mark: str | None
    pictures: Callable[[], Iterator[np.ndarray]]
    sound: Callable[[], Sound | None]


def is_film(place: str | Path) -> bool:
    """Return whether a path is that of a film: a file of one, or a folder of numbered pictures."""
    path = Path(place)
    try:
        if path.is_dir():
            return bool(_numbered(path))
        with path.open("rb") as file:
            return sniff(path.name, file.read(HEAD_BYTES)).group == "video"
    except (OSError, ValueError):
        return False


def open_film(source: Any, *, rate_hz: float | None = None) -> GivenFilm:
    """Open a film and count its frames.

    Args:
        source: A file, a folder of numbered pictures, or a clip.
        rate_hz: Frames a second of a folder of pictures, which does not say; ``None`` takes 8. Others have a rate.

    Raises:
        UsageError: There is no such file or folder.
        DataError: It is no film, or cannot be read.
    """
    if isinstance(source, Clip):
        return _of_clip(source)
    if not isinstance(source, str | Path):
        raise UsageError(f"a film of type {type(source).__name__}", expected="a file, a folder of pictures, or a clip")
    path = Path(source)
    if path.is_dir():
        return _of_folder(path, rate_hz or FOLDER_RATE_HZ)
    content = read_given_bytes(path)
    if sniff(path.name, content[:HEAD_BYTES]).group != "video":
        raise DataError(
            f"{path} is no film", expected="WebM, MP4, MKV, AVI, MOV, GIF, APNG, WebP, or a folder of pictures"
        )

    def pieces(side: int) -> Iterator[Clip]:
        return read_pieces(io.BytesIO(content), largest_side=side, piece_frames=PIECE_FRAMES)

    stated, mark = _origin(content, sidecar_path(path))
    return _counted(
        path.name, pieces, stated={"file_sha256": hashlib.sha256(content).hexdigest(), **stated}, mark=mark,
        sound=lambda: read_track(content),
    )  # fmt: skip


def _of_clip(clip: Clip) -> GivenFilm:
    return _counted(
        "the clip",
        lambda _: iter([clip]),
        stated={"sha256": hashlib.sha256(clip.tobytes()).hexdigest()},
        mark=None,
        sound=lambda: None,
    )


def _of_folder(folder: Path, rate_hz: float) -> GivenFilm:
    paths = _numbered(folder)
    if not paths:
        raise DataError(
            f"{folder} is no film", expected="a folder of pictures with numbers as names: 0001.png, 0002.png ..."
        )
    digest, marks = hashlib.sha256(), set()
    for path in paths:
        if path.stat().st_size > LARGEST_PICTURE_BYTES:
            raise DataError(f"{path.name} is too large", expected=f"at most {LARGEST_PICTURE_BYTES >> 20} MB a picture")
        content = path.read_bytes()
        digest.update(hashlib.sha256(content).digest())
        marks.add(source_mark(content))

    def pieces(side: int) -> Iterator[Clip]:
        return read_numbered(paths, rate_hz=rate_hz, largest_side=side, piece_frames=PIECE_FRAMES)

    stated = {"pictures": len(paths), "sha256": digest.hexdigest()}
    mark = next((one for one in sorted(marks - {None}, key=str)), None)
    return _counted(folder.name, pieces, stated=stated, mark=mark, sound=lambda: None)


def _numbered(folder: Path) -> list[Path]:
    found = FrameFolders()
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                is_picture = sniff(path.name, file.read(HEAD_BYTES)).group == "image"
            if is_picture:
                found.see(path.name, path, path.stat().st_size)
    list(found.settled())
    return next((paths for _, paths in found.videos()), [])


def _counted(
    name: str,
    pieces: Callable[[int], Iterator[Clip]],
    *,
    stated: dict[str, Any],
    mark: str | None,
    sound: Callable[[], Sound | None],
) -> GivenFilm:
    try:
        first = next(pieces(LARGEST_SIDE))
        count = sum(len(piece.frames) for piece in pieces(COUNTED_SIDE))
    except DataError as error:
        raise DataError(f"{name} cannot be read: {error.came}", expected=error.expected, do=error.do) from error
    height, width = first.frames.shape[1:3]

    def pictures() -> Iterator[np.ndarray]:
        for piece in pieces(LARGEST_SIDE):
            for frame in piece.frames:
                yield frame if frame.shape[2] == 3 else with_channels(frame, 3)

    facts = {"kind": "video", "frames": count, "height": height, "width": width, "rate_hz": round(first.rate_hz, 6)}
    return GivenFilm(
        name=name,
        count=count,
        rate_hz=first.rate_hz,
        height=height,
        width=width,
        stated=facts | stated,
        mark=mark,
        pictures=pictures,
        sound=sound,
    )


def _origin(content: bytes, sidecar: Path) -> tuple[dict[str, Any], str | None]:
    """Return the signed manifest of a film, where it has one that is its own, and how a trained algorithm had a part in it."""
    mark = source_mark(content)
    if not sidecar.is_file():
        return {}, mark
    try:
        written = read_limited(sidecar)
        manifest = read_signed(written).manifest
    except IntegrityError:
        # What a damaged manifest says is not believed, but it is no proof either that people made the film.
        return {}, mark
    described = manifest.get("content")
    is_own = isinstance(described, dict) and described.get("sha256") == hashlib.sha256(content).hexdigest()
    said = manifest.get("source_type")
    mark = mark or source_mark(said.encode("utf-8") if isinstance(said, str) else b"")
    return ({"manifest": read_strict_json(written)} if is_own else {}), mark
