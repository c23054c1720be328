"""One generated thing with its signed manifest, and how it is written to the disk so that the two never part.

Decisions: an image is written as PNG with the manifest inside, because other formats would change the pixels or drop it; text, drawings
(SVG), sounds (WAV), videos and structures (in the form that they were made in) are written with the manifest beside them; beside a piece
of music (MIDI) lie its picture and its sound too, beside a structure its picture. Nothing is ever overwritten: a path that exists is
refused, a folder gets the next free number. The sidecar is written before its text, so that a killed process leaves no unmarked text.
"""

import dataclasses
import functools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from makar.data.video_file import FORMS, usual_form
from makar.errors import MakarError, OutOfSpaceError, UnsupportedError, UsageError
from makar.generation.asset_file import IMAGE_TYPE, file_of, type_of
from makar.generation.modelling import STRUCTURE_SUFFIXES, USUAL_FORM, structure_renderings
from makar.generation.piece import PICTURE, SOUND, renderings
from makar.provenance.content import Drawing, Film, Piece, Structure
from makar.provenance.embedding import sidecar_bytes, sidecar_path

LARGEST_NUMBER = 1_000_000
DRAWING_SUFFIX, MIDI_SUFFIX, WAVE_SUFFIX = ".svg", ".mid", ".wav"
SUFFIXES = {"text": ".txt", "code": ".py", "image": ".png", "molecule": ".smi", "music": ".mid", "protein": ".txt"} | {
    "sound": WAVE_SUFFIX,
    "structure": f".{USUAL_FORM}",
}
FILM_SUFFIXES = tuple(f".{form}" for form in FORMS)
_TEXTS = (".txt", ".py", ".smi")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Asset:
    """One generated thing.

    Attributes:
        content: ``str``, ``uint8 [height, width, channels]``, a ``Drawing``, a ``Recording``, a ``Film``, a ``Structure``, or a ``Piece``
            of music.
        medium: What it is.
        signed: The signed manifest.
        novelty: How close it is to the training data, sources named; ``None`` when that could not be checked here. The manifest has
            the figures alone.
    """

    content: Any
    medium: str
    signed: dict[str, Any]
    novelty: dict[str, Any] | None

    @property
    def manifest(self) -> dict[str, Any]:
        """What was signed."""
        manifest: dict[str, Any] = self.signed["manifest"]
        return manifest

    @property
    def id(self) -> str:
        """The id of the asset."""
        return str(self.manifest["id"])

    @property
    def hash(self) -> str:
        """The sha256 of the content."""
        return str(self.manifest["content"]["sha256"])

    @functools.cached_property
    def file(self) -> bytes:
        """The file that ``save`` writes, without what lies beside it."""
        return file_of(self.content, self.signed)

    @property
    def type(self) -> str:
        """The media type of that file."""
        return type_of(self.content)

    @property
    def new_text(self) -> str:
        """For text: what the model wrote, without the prompt that it continues and what was around the hole that it filled."""
        if not isinstance(self.content, str):
            raise UnsupportedError(f"an asset of medium {self.medium} has no text", expected="text or code")
        start, end = self.manifest.get("edit", {}).get("made_characters", (self.manifest["continues_characters"], None))
        return self.content[start:end]

    def save(self, path: Path | str) -> Path:
        """Write the asset with its manifest.

        Args:
            path: A file that does not exist, or an existing folder, which gets the next free number (``0001.png``).

        Returns:
            The file that was written.

        Raises:
            UsageError: The file exists.
            UnsupportedError: The suffix is of a format that cannot carry the manifest.
            MakarError: The place cannot be written.
        """
        path = Path(path)
        try:
            if not path.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                return self._write(path)
            for number in range(_next_number(path), LARGEST_NUMBER):
                try:
                    return self._write(path / f"{number:04d}{self._suffix}")
                except UsageError:
                    continue
        except OSError as error:
            if error.errno in (28, 122):
                raise OutOfSpaceError(f"the disk is full while writing {path}", do="free some space") from error
            raise MakarError(f"{path} cannot be written: {error.strerror}", do="choose another place") from error
        raise MakarError(f"{path} is full", expected=f"fewer than {LARGEST_NUMBER} files", do="choose another folder")

    def replace(self, path: Path) -> Path:
        """Write a text over a file that exists, whole or not at all, with its manifest beside it; only where that was asked for."""
        new = path.with_name(f".makar-{self.id}{path.suffix}")
        self._write(new)
        os.replace(sidecar_path(new), sidecar_path(path))  # noqa: PTH105
        return new.replace(path)

    @property
    def _suffix(self) -> str:
        if isinstance(self.content, Film | Structure):
            return f".{self.content.form}"
        return suffix_of(self.medium, is_drawing=isinstance(self.content, Drawing))

    def _write(self, path: Path) -> Path:
        check_file(path, suffix=self._suffix)
        if isinstance(self.content, Piece):
            beside = renderings(self.content, self.manifest)
            files = {path.with_name(path.stem + suffix): data for suffix, data in beside.items()}
        elif isinstance(self.content, Structure):
            shown = structure_renderings(self.content, self.manifest)
            files = {path.with_suffix(suffix): data for suffix, data in shown.items()}
        else:
            files = {}
        if self.type != IMAGE_TYPE:
            files[sidecar_path(path)] = sidecar_bytes(self.signed)
        files[path] = self.file
        if isinstance(self.content, Film) and self.content.wave is not None:
            files[path.with_suffix(WAVE_SUFFIX)] = self.content.wave
        written: list[Path] = []
        for place, content in files.items():
            try:
                write_new(place, content)
            except BaseException:
                for done in written:
                    done.unlink(missing_ok=True)
                raise
            written.append(place)
        return path


def suffix_of(medium: str, *, is_drawing: bool = False, named: str = "") -> str:
    """Return the suffix under which an asset of a medium is written.

    Args:
        medium: The medium.
        is_drawing: Whether an image becomes a drawing.
        named: The suffix of the file that was named; a video or structure is made in that form.
    """
    if medium == "video":
        return named.lower() if named.lower() in FILM_SUFFIXES else f".{usual_form()}"
    if medium == "structure" and named.lower() in STRUCTURE_SUFFIXES:
        return named.lower()
    return DRAWING_SUFFIX if is_drawing else SUFFIXES[medium]


def check_file(path: Path, *, suffix: str) -> None:
    """Refuse a file that an asset could not be written to; asked before drawing too, so that no work is lost.

    Args:
        path: The file.
        suffix: Of ``suffix_of``.

    Raises:
        UsageError: It exists, or the manifest beside it does.
        UnsupportedError: Its suffix is of a format that cannot carry the manifest.
    """
    named = path.suffix.lower()
    if suffix in _TEXTS and named in (".png", DRAWING_SUFFIX):
        raise UnsupportedError(f"{path} is named as an image, the asset is text", expected=".txt or .py")
    if suffix not in _TEXTS and named != suffix:
        reason = "keeps pixels and manifest" if suffix == ".png" else "is what was asked for"
        what = {MIDI_SUFFIX: "a piece of music", WAVE_SUFFIX: "a sound"}.get(suffix, "an image")
        what = "a video" if suffix in FILM_SUFFIXES else "a structure" if suffix in STRUCTURE_SUFFIXES else what
        forms = next((known for known in (FILM_SUFFIXES, STRUCTURE_SUFFIXES) if suffix in known), ())
        raise UnsupportedError(
            f'{what} cannot be written as "{named or path.name}"',
            expected=", ".join(forms) or f"{suffix}, which {reason}",
            do=f"use {path.with_suffix(suffix).name}",
        )
    beside = [] if suffix == ".png" else [sidecar_path(path)]
    beside += [path.with_suffix(other) for other in (PICTURE, SOUND)] if suffix == MIDI_SUFFIX else []
    beside += [path.with_suffix(PICTURE)] if suffix in STRUCTURE_SUFFIXES else []
    for place in (path, *beside):
        if place.exists() or place.is_symlink():
            raise UsageError(
                f"{place} exists", expected="a new file", do="choose another name, or a folder for numbers"
            )


def write_new(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file that does not exist, whole or not at all.

    Args:
        path: The file.
        content: All of it, or piece by piece.

    Raises:
        UsageError: It exists.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".makar-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        try:
            # A link is made only where nothing is, in one step, whatever other processes do.
            os.link(temporary, path)
        except FileExistsError as error:
            raise UsageError(f"{path} exists", expected="a new file", do="choose another name") from error
    finally:
        temporary.unlink()


def _next_number(folder: Path) -> int:
    numbers = [int(path.name.split(".")[0]) for path in folder.iterdir() if path.name.split(".")[0].isdecimal()]
    return max(numbers, default=0) + 1


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
