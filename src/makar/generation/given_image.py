"""An image that is handed in: read from a file or an array, checked, and stated by its hashes; and masks, read alike."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from makar.codecs.image_fit import with_channels
from makar.data.image_reader import read_image
from makar.errors import DataError, UsageError
from makar.provenance.content import describe_content

OPAQUE = 128
"""Opacity from which a pixel counts as known, and brightness from which a pixel of a mask is to be made anew."""

ImageSource = str | Path | np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GivenImage:
    """An image that was handed in.

    Attributes:
        pixels: uint8 ``[rows, columns, channels]``, 1, 3 or 4 channels.
        stated: What a manifest says of it: size, sha256 of its pixels and, for a file, of the file. Its name stays here.
    """

    pixels: np.ndarray
    stated: dict[str, Any]

    @property
    def transparent(self) -> np.ndarray:
        """Where it is transparent, bool ``[rows, columns]``."""
        rows, columns, channels = self.pixels.shape
        return self.pixels[:, :, 3] < OPAQUE if channels == 4 else np.zeros((rows, columns), bool)


def read_given_image(source: ImageSource) -> GivenImage:
    """Read an image.

    Args:
        source: A file (PNG, JPEG, WebP, GIF, BMP or TIFF), or an array uint8 ``[rows, columns]`` or ``[rows, columns, 1, 3 or 4]``.

    Raises:
        UsageError: There is no such file, or the array is no image.
        DataError: The file cannot be read as an image.
    """
    if isinstance(source, np.ndarray):
        pixels = source[:, :, None] if source.ndim == 2 else source
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
            raise UsageError(
                f"an array of {source.dtype} {list(source.shape)}", expected="uint8 [rows, columns, 1, 3 or 4 channels]"
            )
        return GivenImage(pixels=np.ascontiguousarray(pixels), stated=describe_content(pixels))
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected="an image")
    try:
        content = path.read_bytes()
        pixels = read_image(content)
    except (DataError, OSError) as error:
        reason = error.came if isinstance(error, DataError) else str(error.strerror)
        raise DataError(f"{path} cannot be read: {reason}", expected="PNG, JPEG, WebP, GIF, BMP or TIFF") from error
    stated = describe_content(pixels) | {"file_sha256": hashlib.sha256(content).hexdigest()}
    return GivenImage(pixels=pixels, stated=stated)


def read_mask(source: ImageSource, *, rows: int, columns: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Read what is to be made anew: white, or opaque in a mask with transparency.

    Args:
        source: A file, or an array: uint8 as an image, or bool ``[rows, columns]``.
        rows: Of the image that it is for.
        columns: Of the image that it is for.

    Returns:
        bool ``[rows, columns]``, and what a manifest says of it.

    Raises:
        UsageError: It has another size.
    """
    if isinstance(source, np.ndarray) and source.dtype == bool:
        source = source.astype(np.uint8) * 255
    given = read_given_image(source)
    if given.pixels.shape[:2] != (rows, columns):
        have = f"{given.pixels.shape[1]} x {given.pixels.shape[0]}"
        raise UsageError(
            f"the mask has {have} pixels", expected=f"{columns} x {rows}, as the image", do="make it from the image"
        )
    grey = with_channels(given.pixels[:, :, : min(3, given.pixels.shape[2])], 1)[:, :, 0]
    return (grey >= OPAQUE) & ~given.transparent, given.stated
