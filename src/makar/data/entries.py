"""Every file below a source in a fixed order, whether it lies in a folder, inside a compressed file or inside an archive.

An entry's stream can be opened once in a pass (members of an archive come one after the other). Folders are walked sorted by name;
hidden files and links to folders are left out and said so. Archives inside archives are not opened. A name is text from here on:
bytes of it that are not UTF-8 are written out, because no plan, store or table could hold them; the file is opened by its path.
"""

import dataclasses
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from makar.data import compressed
from makar.data.archives import archive_members
from makar.data.document import Skip
from makar.data.sniffing import COMPRESSED_SUFFIXES, HEAD_BYTES, Kind, sniff
from makar.errors import DataError, UnsafeArchiveError


@dataclasses.dataclass(kw_only=True, slots=True)
class Entry:
    """One file.

    Attributes:
        name: Path below the source with ``/``; ``archive.zip!/inner.png`` inside an archive.
        kind: What its first bytes say.
        size_bytes: Stored size; the compressed one for a single compressed file.
        head: The first bytes, decompressed.
        path: The file itself when it is an ordinary, uncompressed one.
    """

    name: str
    kind: Kind
    size_bytes: int
    head: bytes
    stream: IO[bytes] | None
    path: Path | None
    compression: str | None = None
    file: Path | None = None

    def open(self) -> IO[bytes]:
        """Open the (decompressed) content for reading, once.

        Raises:
            DataError: It cannot be opened.
        """
        try:
            if self.path is not None:
                return self.path.open("rb")
            if self.file is not None and self.compression is not None:
                return compressed.open_compressed(self.file, form=self.compression, name=self.name)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}") from error
        if self.stream is None:
            raise DataError("was read already")
        stream, self.stream = self.stream, None
        return stream

    def whole(self, *, limit_bytes: int) -> bytes:
        """Return the whole content.

        Raises:
            DataError: It is longer than ``limit_bytes`` or cannot be read.
        """
        with self.open() as stream:
            try:
                content = stream.read(limit_bytes + 1)
            except OSError as error:
                raise DataError(f"cannot be read: {error.strerror}") from error
        if len(content) > limit_bytes:
            raise DataError(f"longer than {limit_bytes >> 20} MB, too long to be read whole")
        return content


def readable_name(name: str) -> str:
    """Return a name of a file as text that can be written anywhere: bytes that are not UTF-8 become ``\\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def files(root: Path, skip: Skip) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every ordinary file below a folder, or of the one file, sorted by name."""
    if root.is_file():
        yield readable_name(root.name), root
        return
    yield from _walk(root, "", skip)


def entries(root: Path, skip: Skip) -> Iterator[Entry]:
    """Yield every file, members of archives included; what cannot be opened goes to ``skip``.

    Raises:
        UnsafeArchiveError: The source itself is an archive that is not safe; inside a folder such an archive is skipped.
    """
    for name, path in files(root, skip):
        try:
            yield from _expanded(name, path, skip)
        except UnsafeArchiveError as error:
            if path == root:
                raise
            skip(name, f"unsafe archive: {error.came}")
        except DataError as error:
            skip(name, error.came)
        except OSError as error:
            skip(name, f"cannot be read: {error.strerror or error}")


def _expanded(name: str, path: Path, skip: Skip) -> Iterator[Entry]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    kind = sniff(name, head)
    compression = None
    if kind.group == "compressed":
        compression = kind.form
        with compressed.open_compressed(path, form=compression, name=name) as stream:
            head = stream.read(HEAD_BYTES)
        kind = sniff(name, head)
        if kind.group == "compressed":
            kind = Kind(group="unread", form="compressed twice")
        if kind.group == "archive" and kind.form == "zip":
            kind = Kind(group="unread", form="an archive inside a compressed file; unpack it first")
    if kind.group != "archive":
        plain = path if compression is None else None
        yield Entry(
            name=name,
            kind=kind,
            size_bytes=size,
            head=head,
            stream=None,
            path=plain,
            compression=compression,
            file=path,
        )
        return
    for member in archive_members(path, form=kind.form, compression=compression, name=name):
        inner = f"{name}!/{member.name}"
        if member.problem:
            skip(inner, member.problem)
            continue
        if _is_hidden(member.name):
            skip(inner, "hidden file")
            continue
        if member.name.rpartition(".")[2].lower() in COMPRESSED_SUFFIXES:
            skip(inner, "compressed inside an archive; unpack it first")
            continue
        try:
            buffered = io.BufferedReader(member.stream, HEAD_BYTES)  # type: ignore[type-var]
            head = buffered.peek(HEAD_BYTES)[:HEAD_BYTES]
        except UnsafeArchiveError:
            raise
        except DataError as error:
            skip(inner, error.came)
            continue
        kind_inside = sniff(member.name, head)
        if kind_inside.group in ("archive", "compressed"):
            skip(inner, "an archive inside an archive; unpack it first")
            continue
        yield Entry(name=inner, kind=kind_inside, size_bytes=member.size_bytes, head=head, stream=buffered, path=None)


def _walk(folder: Path, prefix: str, skip: Skip) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(folder) as listing:
            children = sorted(listing, key=lambda child: child.name)
    except OSError as error:
        skip(prefix or folder.name, f"cannot be read: {error.strerror}")
        return
    for child in children:
        name = prefix + readable_name(child.name)
        if child.name.startswith(".") or child.name == "__MACOSX":
            skip(name, "hidden folder" if child.is_dir(follow_symlinks=False) else "hidden file")
        elif child.is_dir(follow_symlinks=False):
            yield from _walk(Path(child.path), name + "/", skip)
        elif child.is_dir():
            skip(name, "link to a folder")
        elif child.is_file():
            yield name, Path(child.path)
        else:
            skip(name, "neither a file nor a folder")


def _is_hidden(member: str) -> bool:
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in member.split("/"))
