"""Images in NumPy files and arrays: ``[N, height, width]`` or ``[N, height, width, channels]`` of ``uint8``, with or without labels.

A member of an ``.npz`` is read row by row from the compressed stream, whatever its compression, so that a file larger than memory
is no problem; nothing is unpickled. Labels are a one-dimensional array of the same length; arrays belong together by the rest of
their names once "images", "labels", "x", "y" and the name of a split are taken away (``train_images`` with ``train_labels``,
``x_test`` with ``y_test``).
"""

import dataclasses
import math
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from makar.data.compressed import FAILURES
from makar.data.split_names import split_of_words
from makar.errors import DataError

_ROLES = frozenset(
    ("x", "y", "images", "image", "labels", "label", "data", "targets", "target", "arr", "array", "0", "imgs")
)
WHOLE_LIMIT_BYTES = 1 << 30
"""Most bytes that are read at once: a row, the labels, an array in Fortran order. A header can state anything."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageArray:
    """One array of images in a file: its member name, shape, the split it is named after, and its labels.

    ``problem`` says why a member cannot be read; it has no shape then, and the others can be used.
    """

    member: str
    shape: tuple[int, ...]
    official: str | None
    labels: np.ndarray | None
    problem: str = ""


def shape_problem(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str | None:
    """Say why an array is not a list of images, ``None`` when it is."""
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
        return f"shape {list(shape)} is not [N, height, width] or [N, height, width, 1, 3 or 4]"
    if dtype != np.uint8:
        return f"dtype {dtype} is not uint8"
    if 0 in shape:
        return "the array is empty"
    return None


def image_arrays(stream: IO[bytes], form: str) -> list[ImageArray]:
    """List the arrays of images in a ``.npy`` or ``.npz`` file; the stream must be seekable.

    Raises:
        DataError: There is none; the message lists what is there.
    """
    if form == "npy":
        shape, _, dtype = _header(stream)
        problem = shape_problem(shape, dtype)
        if problem:
            raise DataError(f"no array of images: {problem}")
        return [ImageArray(member="", shape=shape, official=None, labels=None)]
    shapes: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    labels: dict[str, np.ndarray] = {}
    damaged: dict[str, str] = {}
    with _opened(stream) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            name = info.filename.removesuffix(".npy")
            try:
                with _opened_member(archive, info.filename) as member:
                    shape, _, dtype = _header(member)
                    if len(shape) == 1 and dtype.kind in "iuU":
                        labels[name] = _label_values(_exactly(member, shape[0] * dtype.itemsize), dtype)
                    shapes[name] = (shape, dtype)
            except DataError as error:
                damaged[name] = error.came
    found = [
        ImageArray(
            member=name,
            shape=shape,
            official=split_of_words(_words(name)),
            labels=_labels_of(name, shape[0], labels),
        )
        for name, (shape, dtype) in shapes.items()
        if shape_problem(shape, dtype) is None
    ]
    if not found:
        listed = [f"{name} {list(shape)} {dtype}" for name, (shape, dtype) in list(shapes.items())[:8]]
        listed += [f"{name} ({problem})" for name, problem in list(damaged.items())[:8]]
        raise DataError(f"no array of images among: {', '.join(listed) or 'nothing'}")
    return found + [
        ImageArray(member=name, shape=(), official=None, labels=None, problem=problem)
        for name, problem in damaged.items()
    ]


def array_rows(stream: IO[bytes], form: str, array: ImageArray) -> Iterator[np.ndarray]:
    """Yield the images of one array as ``uint8 [height, width, channels]``, streaming.

    Raises:
        DataError: The file is damaged.
    """
    if form == "npy":
        yield from _rows(stream)
        return
    with _opened(stream) as archive, _opened_member(archive, array.member + ".npy") as member:
        yield from _rows(member)


def _rows(stream: IO[bytes]) -> Iterator[np.ndarray]:
    shape, fortran, dtype = _header(stream)
    item = shape[1:] if len(shape) == 4 else (*shape[1:], 1)
    size = math.prod(item)
    if fortran:
        whole = np.frombuffer(_exactly(stream, size * shape[0]), dtype).reshape(shape[::-1]).T
        for row in whole:
            yield np.ascontiguousarray(row).reshape(item)
        return
    for _ in range(shape[0]):
        yield np.frombuffer(_exactly(stream, size), np.uint8).reshape(item).copy()


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except DataError:
        raise
    except Exception as error:  # NumPy's reader of headers raises any kind of exception on damaged ones
        raise DataError(f"damaged array: {error}") from error
    if any(size < 0 for size in shape):
        raise DataError(f"damaged array: shape {list(shape)}")
    return tuple(int(size) for size in shape), bool(fortran), dtype


def _exactly(stream: IO[bytes], size: int) -> bytes:
    if size > WHOLE_LIMIT_BYTES:
        raise DataError(f"{size:,} bytes would have to be read at once, more than {WHOLE_LIMIT_BYTES:,}")
    try:
        content = stream.read(size)
        while len(content) < size:
            more = stream.read(size - len(content))
            if not more:
                raise DataError("the array is cut short")
            content += more
    except FAILURES as error:
        raise DataError(f"damaged array: {error}") from error
    return content


def _opened(stream: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"damaged .npz file: {error}") from error


def _opened_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except (*FAILURES, RuntimeError, ValueError, KeyError) as error:
        # RuntimeError: encrypted, or compressed in a way that Python does not know (NotImplementedError).
        raise DataError(f"damaged or encrypted: {error}") from error


def _label_values(content: bytes, dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "U" and dtype.itemsize:
        codes = np.frombuffer(content, np.dtype("u4").newbyteorder(dtype.byteorder))
        # Numbers that are no characters raise only when a string is made of them.
        if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise DataError("damaged array: labels that are no text")
    return np.frombuffer(content, dtype) if dtype.itemsize else np.zeros(0, dtype)


def _words(name: str) -> list[str]:
    return [word for word in name.lower().replace("-", "_").split("_") if word]


def _labels_of(name: str, length: int, labels: dict[str, np.ndarray]) -> np.ndarray | None:
    key = [word for word in _words(name) if word not in _ROLES]
    for other, values in labels.items():
        if len(values) == length and [word for word in _words(other) if word not in _ROLES] == key:
            return values
    return None
