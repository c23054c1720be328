"""Members of a tar archive from a stream, in order, regular files only: no links, no devices, no sparse files, nothing outside.

Written here because ``tarfile`` of some supported Pythons loops on negative sizes (CVE-2025-8194), lets its own "data" filter be
left (CVE-2025-4517) and reads extended headers of any length into memory. Format: POSIX.1-2001 (ustar, pax) and the GNU long
names; 512-byte blocks, numbers octal or base 256.
"""

import dataclasses
import io
from collections.abc import Iterator
from typing import IO, Any

from makar.errors import DataError, UnsafeArchiveError

BLOCK = 512
HEADER_LIMIT = 1 << 20
_LINKS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TarMember:
    """A regular file or a folder of the archive, with the stream positioned at its content."""

    name: str
    size_bytes: int
    is_folder: bool
    stream: IO[bytes]


class _MemberStream(io.RawIOBase):
    """The content of one member."""

    def __init__(self, stream: IO[bytes], size: int, name: str) -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise DataError(f"{self._name} is cut short: the archive ends inside it")
        self.left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def members(stream: IO[bytes], *, name: str) -> Iterator[TarMember]:
    """Yield the members of a tar stream; each is readable until the next is asked for.

    Args:
        stream: The uncompressed archive.
        name: Name of the archive for messages.

    Raises:
        UnsafeArchiveError: A member is a link, a device or something else that is no file.
        DataError: The archive is damaged.
    """
    long_name: str | None = None
    long_size: int | None = None
    while True:
        header = stream.read(BLOCK)
        if not header or header == bytes(BLOCK):
            return
        if len(header) < BLOCK or not _checksum_holds(header):
            raise DataError(f"{name} is damaged: a header does not add up", do="make or download the archive again")
        size, kind = _number(header[124:136], name), header[156:157]
        if kind in (b"L", b"x", b"g", b"K"):
            if size > HEADER_LIMIT:
                raise UnsafeArchiveError(f"{name} has a header of {size:,} bytes", expected=f"at most {HEADER_LIMIT:,}")
            content = _exactly(stream, size, name)
            if kind == b"L":
                long_name = content.rstrip(b"\0").decode("utf-8", "replace")
            elif kind == b"x":
                fields = _pax_fields(content, name)
                long_name = fields.get("path", long_name)
                long_size = _size_of(fields.get("size"), name) if "size" in fields else long_size
                if any(field.startswith("GNU.sparse") for field in fields):
                    raise UnsafeArchiveError(f"{name} holds a sparse file", expected="regular files only")
            continue
        member = long_name if long_name is not None else _name(header)
        size = long_size if long_size is not None else size
        long_name = long_size = None
        if kind in _LINKS:
            raise UnsafeArchiveError(
                f'"{member}" in {name} is {_LINKS[kind]}',
                expected="regular files and folders only",
                do="unpack the archive yourself if you trust it, and name the folder",
            )
        if kind not in (b"0", b"\0", b"7", b"5"):
            raise UnsafeArchiveError(f'"{member}" in {name} has the unknown type {kind!r}', expected="regular files")
        is_folder = kind == b"5" or member.endswith("/")
        content_size = 0 if is_folder else size
        content_stream = _MemberStream(stream, content_size, f"{name}!/{member}")
        yield TarMember(
            name=member, size_bytes=content_size, is_folder=is_folder, stream=io.BufferedReader(content_stream)
        )
        _discard(stream, content_stream.left + -content_size % BLOCK, name)


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def _size_of(digits: str | None, name: str) -> int:
    # "²" is a digit to Python and no number, and a number of thousands of digits is refused by int().
    if digits is None or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise DataError(f"{name} is damaged: a size is no number")
    return int(digits)


def _number(field: bytes, name: str) -> int:
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << 95) - 1)
        if field[0] != 0x80 or value > 1 << 60:
            raise DataError(f"{name} is damaged: a size is negative or absurd")
        return value
    try:
        value = int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise DataError(f"{name} is damaged: a size is no number") from error
    if value < 0:
        raise DataError(f"{name} is damaged: a size is negative")
    return value


def _checksum_holds(header: bytes) -> bool:
    try:
        stated = int(header[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    return stated == sum(header[:148]) + 8 * 32 + sum(header[156:])


def _pax_fields(content: bytes, name: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    place = 0
    while place < len(content) and content[place] != 0:
        digits, space, _ = content[place : place + 20].partition(b" ")
        if not space or not digits.isdigit() or not len(digits) + 1 < int(digits) <= len(content) - place:
            raise DataError(f"{name} is damaged: an extended header does not add up")
        key, _, value = content[place + len(digits) + 1 : place + int(digits)].rstrip(b"\n").partition(b"=")
        fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        place += int(digits)
    return fields


def _exactly(stream: IO[bytes], size: int, name: str) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise DataError(f"{name} is cut short", do="make or download the archive again")
    _discard(stream, -size % BLOCK, name)
    return content


def _discard(stream: IO[bytes], count: int, name: str) -> None:
    while count > 0:
        data = stream.read(min(count, 1 << 20))
        if not data:
            raise DataError(f"{name} is cut short", do="make or download the archive again")
        count -= len(data)
