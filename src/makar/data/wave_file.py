"""WAV files: read as a stream and written whole, so that neither needs a package; samples come back bit for bit.

A sound is written in 16 bits where all of its samples lie on that grid, in 24 where they lie on that one, else as 32-bit floats, so what
was read is what is written. Format: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft 1991), and
Multiple Channel Audio Data and WAVE Files (Microsoft 2001) for ``WAVE_FORMAT_EXTENSIBLE``.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from makar.data.sound import LARGEST_RATE_HZ, MOST_CHANNELS, Sound
from makar.errors import DataError, UnsupportedError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
BLOCK_BYTES = 1 << 20
LONGEST_CHUNK_BYTES = 1 << 16
MOST_CHUNKS = 1000


def wave_blocks(stream: IO[bytes]) -> Iterator[Sound]:
    """Yield the sound of a WAV file in blocks of about a megabyte.

    Args:
        stream: At its start.

    Raises:
        DataError: It is damaged.
        UnsupportedError: It is of a coding that is not read.
    """
    head = stream.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        raise DataError("no WAV file", expected="RIFF and WAVE at its start")
    form: tuple[int, int, int, int] | None = None
    for _ in range(MOST_CHUNKS):
        name, size = _chunk(stream)
        if name == b"fmt ":
            form = _form(stream.read(min(size, LONGEST_CHUNK_BYTES)))
        elif name == b"data":
            if form is None:
                raise DataError("a WAV file whose samples come before its format")
            yield from _samples(stream, size, form)
            return
        else:
            _pass_over(stream, size)
        if size % 2:
            stream.read(1)
    raise DataError(f"a WAV file of more than {MOST_CHUNKS} chunks without samples")


def _chunk(stream: IO[bytes]) -> tuple[bytes, int]:
    head = stream.read(8)
    if len(head) < 8:
        raise DataError("a WAV file that ends before its samples: it was cut off")
    return head[:4], struct.unpack("<I", head[4:])[0]


def _pass_over(stream: IO[bytes], size: int) -> None:
    while size > 0:
        part = stream.read(min(size, BLOCK_BYTES))
        if not part:
            raise DataError("a WAV file that ends before its samples: it was cut off")
        size -= len(part)


def _form(content: bytes) -> tuple[int, int, int, int]:
    """Return (coding, channels, rate, bits)."""
    if len(content) < 16:
        raise DataError(f"a WAV file with a format of {len(content)} bytes", expected="at least 16")
    coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if coding == EXTENSIBLE and len(content) >= 26:
        coding = struct.unpack("<H", content[24:26])[0]
    if (coding, bits) not in ((PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)):
        raise UnsupportedError(
            f"a WAV file of coding {coding} with {bits} bits",
            expected="PCM of 8 to 32 bits or floats",
            do="save it as 16-bit PCM",
        )
    if not 1 <= channels <= MOST_CHANNELS or not 1 <= rate <= LARGEST_RATE_HZ:
        raise DataError(f"a WAV file of {channels} channels and {rate} samples a second")
    return coding, channels, rate, bits


def _samples(stream: IO[bytes], size: int, form: tuple[int, int, int, int]) -> Iterator[Sound]:
    coding, channels, rate, bits = form
    frame = channels * bits // 8
    # Programs that write to a pipe leave the size at its largest value: then the file ends where it ends.
    left = size - size % frame
    while left > 0:
        part = stream.read(min(left, BLOCK_BYTES // frame * frame))
        part = part[: len(part) - len(part) % frame]
        if not part:
            return
        left -= len(part)
        yield Sound(_as_floats(part, coding, bits).reshape(-1, channels), rate)


def _as_floats(data: bytes, coding: int, bits: int) -> np.ndarray:
    if coding == FLOAT:
        values = np.frombuffer(data, "<f4" if bits == 32 else "<f8").astype(np.float32)
        if not np.isfinite(values).all():
            raise DataError("a WAV file with samples that are no numbers")
        return values
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if bits == 24:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (padded.reshape(-1).view("<i4") / 2.0**31).astype(np.float32)
    return (np.frombuffer(data, f"<i{bits // 8}") / 2.0 ** (bits - 1)).astype(np.float32)


def wave_bytes(sound: Sound, *, remarks: dict[str, str] | None = None, marks: Sequence[tuple[int, str]] = ()) -> bytes:
    """Return a WAV file that holds exactly these samples.

    Args:
        sound: The sound.
        remarks: What a ``LIST INFO`` chunk says, four letters each: ``ISFT``, ``ICMT``.
        marks: Samples at which something begins, with its title, as cue points.
    """
    samples, channels = sound.samples.shape
    coding, bits, data = _encoded(sound.samples)
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", coding, channels, sound.rate_hz, sound.rate_hz * frame, frame, bits)
    chunks = [(b"fmt ", form)]
    if coding == FLOAT:
        chunks.append((b"fact", struct.pack("<I", samples)))
    if remarks:
        said = b"".join(_padded(name.encode("ascii"), text.encode("utf-8") + b"\0") for name, text in remarks.items())
        chunks.append((b"LIST", b"INFO" + said))
    chunks.append((b"data", data))
    if marks:
        points = b"".join(
            struct.pack("<II4sIII", number, place, b"data", 0, 0, place) for number, (place, _) in enumerate(marks, 1)
        )
        titles = b"".join(
            _padded(b"labl", struct.pack("<I", number) + title.encode("utf-8") + b"\0")
            for number, (_, title) in enumerate(marks, 1)
        )
        chunks += [(b"cue ", struct.pack("<I", len(marks)) + points), (b"LIST", b"adtl" + titles)]
    body = b"WAVE" + b"".join(_padded(name, content) for name, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def on_grid(samples: np.ndarray, *, bits: int = 16) -> np.ndarray:
    """Return samples moved to the nearest value that so many bits hold, float32, -1 to 1."""
    scale = 2.0 ** (bits - 1)
    moved = np.clip(np.rint(samples.astype(np.float64) * scale), -scale, scale - 1) / scale
    grid: np.ndarray = moved.astype(np.float32)
    return grid


def stored_numbers(samples: np.ndarray, *, length: int) -> np.ndarray:
    """Return samples as numbers of 16 bits, int16 ``[length]``, followed by silence; what is too loud is clipped."""
    scaled = np.clip(np.rint(samples.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    return np.pad(scaled, (0, length - len(scaled)))


def numbers_of(stored: np.ndarray) -> np.ndarray:
    """Return the samples of numbers of 16 bits, float32 in -1..1."""
    samples: np.ndarray = (stored / np.float32(32768)).astype(np.float32)
    return samples


def _padded(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _encoded(samples: np.ndarray) -> tuple[int, int, bytes]:
    """Return (coding, bits, bytes) of the smallest coding that holds the samples exactly."""
    for bits in (16, 24):
        scale = 2.0 ** (bits - 1)
        whole = samples.astype(np.float64) * scale
        if (whole == np.rint(whole)).all() and (whole >= -scale).all() and (whole < scale).all():
            values = whole.astype("<i4")
            if bits == 16:
                return PCM, 16, values.astype("<i2").tobytes()
            return PCM, 24, np.ascontiguousarray(values.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
    return FLOAT, 32, np.ascontiguousarray(samples, "<f4").tobytes()
