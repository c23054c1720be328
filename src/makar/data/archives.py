"""Members of zip and tar archives, read one after the other without unpacking anything to disk, within fixed limits.

Nothing is extracted, so nothing can be written outside; hostile names are refused all the same, because they show that the archive
is not what it seems. Limits: number of members, bytes in all, expansion, length and depth of names. Zip members that share bytes
(D. Fifield, "A better zip bomb", 2019) are refused.
"""

import dataclasses
import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from makar.data import compressed, tar_stream
from makar.errors import DataError, UnsafeArchiveError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """How far an archive may go.

    Attributes:
        members: Most files and folders.
        total_bytes: Most bytes of all files together.
        ratio: Most bytes out for a byte in, once more than ``free_bytes`` have come out.
        name_bytes: Longest name.
        depth: Most folders in a name.
    """

    members: int = 5_000_000
    total_bytes: int = 1 << 40
    ratio: int = compressed.RATIO
    free_bytes: int = compressed.FREE_BYTES
    name_bytes: int = 1024
    depth: int = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A regular file in an archive; ``stream`` can be read once, before the next member is asked for.

    ``problem`` says why its content cannot be read where that is known beforehand; the other members can be.
    """

    name: str
    size_bytes: int
    stream: IO[bytes]
    problem: str = ""


def archive_members(
    path: Path, *, form: str, compression: str | None = None, name: str = "", limits: ArchiveLimits | None = None
) -> Iterator[Member]:
    """Yield the regular files of an archive in its own order.

    Args:
        path: The archive.
        form: ``"zip"`` or ``"tar"``.
        compression: ``"gz"``, ``"bz2"`` or ``"xz"`` around a tar.
        name: How the archive is called in messages; its file name by default.
        limits: How far it may go.

    Raises:
        UnsafeArchiveError: A link, a device, an escaping name or an expansion beyond the limits.
        DataError: The archive as a whole is damaged.
    """
    name, limits = name or path.name, limits or ArchiveLimits()
    found = _zip_members(path, name) if form == "zip" else _tar_members(path, name, compression)
    allowed = max(limits.free_bytes, path.stat().st_size * limits.ratio)
    total = 0
    for count, member in enumerate(found, start=1):
        if count > limits.members:
            raise UnsafeArchiveError(f"{name} has more than {limits.members:,} members")
        check_member_name(member.name, archive=name, limits=limits)
        total += member.size_bytes
        if total > min(allowed, limits.total_bytes):
            raise UnsafeArchiveError(
                f"{name} expands from {path.stat().st_size:,} to more than {total:,} bytes",
                expected=f"at most {limits.ratio} times its size and {limits.total_bytes:,} bytes",
                do="unpack it yourself if you trust it, and name the folder",
            )
        if not member.name.endswith("/"):
            yield dataclasses.replace(member, name=member.name.removeprefix("./"))


def check_member_name(member: str, *, archive: str, limits: ArchiveLimits) -> None:
    """Refuse a name that is absolute, climbs out, holds control characters, or is too long or deep.

    Raises:
        UnsafeArchiveError: The name is not acceptable.
    """
    parts = PurePosixPath(member.replace("\\", "/")).parts
    reason = ""
    if member.startswith(("/", "\\")) or (len(member) > 1 and member[1] == ":"):
        reason = "is an absolute path"
    elif ".." in parts:
        reason = 'leaves the archive by ".."'
    elif any(ord(character) < 32 for character in member):
        reason = "holds control characters"
    elif len(member.encode("utf-8", "replace")) > limits.name_bytes:
        reason = f"is longer than {limits.name_bytes} bytes"
    elif len(parts) > limits.depth:
        reason = f"is deeper than {limits.depth} folders"
    if reason:
        shown = member if len(member) < 80 else member[:77] + "..."
        raise UnsafeArchiveError(
            f"{shown!r} in {archive} {reason}",
            expected="short relative names inside the archive",
            do="unpack the archive yourself if you trust it, and name the folder",
        )


def _tar_members(path: Path, name: str, compression: str | None) -> Iterator[Member]:
    stream: IO[bytes] = (
        compressed.open_compressed(path, form=compression, name=name) if compression else path.open("rb")
    )
    with stream:
        for member in tar_stream.members(stream, name=name):
            folder_mark = "/" if member.is_folder and not member.name.endswith("/") else ""
            yield Member(name=member.name + folder_mark, size_bytes=member.size_bytes, stream=member.stream)


def _zip_members(path: Path, name: str) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"{name} is damaged: {error}", do="make or download the archive again") from error
    with archive:
        # Checked before the first byte is read: unlike a tar, a zip says at once everything that it holds.
        end = 0
        for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
            mode = entry.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UnsafeArchiveError(
                    f'"{entry.filename}" in {name} is a link or a device', expected="regular files only"
                )
            if entry.header_offset < end:
                raise UnsafeArchiveError(f"members of {name} share bytes", expected="members one after the other")
            end = entry.header_offset + 30 + entry.compress_size
            check_member_name(entry.filename, archive=name, limits=ArchiveLimits())
        for entry in archive.infolist():
            if entry.is_dir():
                yield Member(name=entry.filename, size_bytes=0, stream=io.BytesIO())
                continue
            problem, raw = _opened_member(archive, entry)
            if raw is None:
                yield Member(name=entry.filename, size_bytes=0, stream=io.BytesIO(), problem=problem)
                continue
            with raw:
                # The size in the directory may lie; more than it says never comes out.
                bounded = compressed.BoundedStream(raw, name=f"{name}!/{entry.filename}", limit=entry.file_size)
                yield Member(name=entry.filename, size_bytes=entry.file_size, stream=io.BufferedReader(bounded))


def _opened_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[str, IO[bytes] | None]:
    if entry.flag_bits & 1:
        return "encrypted; unpack it and name the folder", None
    try:
        return "", archive.open(entry)
    except NotImplementedError as error:
        return f"compressed in a way that is not read: {error}", None
    except (*compressed.FAILURES, RuntimeError, ValueError) as error:
        return f"damaged: {error}", None
