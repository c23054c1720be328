"""The chunks of a PNG file, read strictly: lengths, checksums, order, and nothing after the end.

Every byte of a chunk is under its CRC-32, so a flipped byte anywhere in the file is found here or makes the walk fail
(PNG, third edition, W3C 2025, sections 5.2 to 5.6). Pixels are left to Pillow.
"""

import struct
import zlib
from collections.abc import Iterator

from makar.errors import IntegrityError

MAGIC = b"\x89PNG\r\n\x1a\n"
LARGEST_PIXELS = 1 << 27
"""Pillow refuses from 179 million on; more than Makar ever writes."""
PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})
HARMLESS_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs"})


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of every chunk of a PNG file.

    Raises:
        IntegrityError: The bytes are no PNG, cut off, changed, or go on after the end.
    """
    if not data.startswith(MAGIC):
        raise IntegrityError("the file is no PNG", expected="a PNG signature")
    position = len(MAGIC)
    kind = b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise IntegrityError("the PNG is cut off", do="get the file again")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise IntegrityError(f"chunk {_name(kind)} reaches beyond the file", do="get the file again")
        content = data[position + 8 : end - 4]
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(kind + content) != checksum:
            raise IntegrityError(f"chunk {_name(kind)} does not match its checksum", do="do not trust this file")
        yield kind, content
        position = end
    if position != len(data):
        raise IntegrityError(f"{len(data) - position} bytes follow the end of the PNG", do="do not trust this file")


def international_texts(data: bytes) -> list[tuple[str, bytes]]:
    """Return (keyword, text) of every uncompressed iTXt chunk, in order.

    Compressed ones are passed over: Makar writes none, and a small one can unpack to gigabytes.
    """
    found = []
    for kind, content in chunks(data):
        if kind != b"iTXt":
            continue
        keyword, zero, rest = content.partition(b"\0")
        if not zero or len(rest) < 2 or rest[0] != 0:
            continue
        _, first, tail = rest[2:].partition(b"\0")
        _, second, text = tail.partition(b"\0")
        if first and second:
            found.append((keyword.decode("latin-1"), text))
    return found


def size(data: bytes) -> tuple[int, int]:
    """Return (width, height) from the header without decoding.

    Raises:
        IntegrityError: There is no header, or the image is larger than can be checked safely.
    """
    kind, content = next(chunks(data))
    if kind != b"IHDR" or len(content) != 13:
        raise IntegrityError("the PNG does not begin with its header")
    width, height = struct.unpack_from(">II", content)
    if not 0 < width * height <= LARGEST_PIXELS:
        raise IntegrityError(f"the image has {width} x {height} pixels", expected=f"1 to {LARGEST_PIXELS}")
    return width, height


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "replace")
