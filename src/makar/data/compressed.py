"""Decompressed streams of single files (gz, bz2, xz) that stop when they expand like a bomb.

A stream is refused once it has given more than ``ratio`` times its compressed size and more than ``free_bytes``. Honest text
seldom exceeds 20 to 1; deflate itself cannot exceed 1032 to 1.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from makar.errors import DataError, UnsafeArchiveError

RATIO = 200
FREE_BYTES = 64 << 20
FAILURES = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What damaged compressed data raises."""


class BoundedStream(io.RawIOBase):
    """A readable stream that counts what it gives and raises ``UnsafeArchiveError`` beyond its limit, ``DataError`` when damaged.

    Args:
        stream: The decompressing stream.
        name: What is read, for the message.
        limit: Most bytes that may come out.
    """

    def __init__(self, stream: IO[bytes], *, name: str, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self._limit = limit
        self.given = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes came."""
        try:
            data = self._stream.read(len(buffer))
        except FAILURES as error:
            raise DataError(f"{self._name} is damaged: {error}") from error
        self.given += len(data)
        if self.given > self._limit:
            raise UnsafeArchiveError(
                f"{self._name} expands to more than {self.given:,} bytes",
                expected=f"at most {RATIO} times its compressed size",
                do="unpack it yourself if you trust it, and name the unpacked file",
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()
        super().close()


def open_compressed(path: Path, *, form: str, name: str) -> IO[bytes]:
    """Open a gz, bz2 or xz file for reading.

    Args:
        path: The compressed file.
        form: ``"gz"``, ``"bz2"`` or ``"xz"``.
        name: How the file is called in messages.
    """
    opener: Any = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}[form]
    limit = max(FREE_BYTES, path.stat().st_size * RATIO)
    return io.BufferedReader(BoundedStream(opener(path, "rb"), name=name, limit=limit), 1 << 18)
