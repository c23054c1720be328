"""Images in few colours: exactly those of a palette, each pixel in the one that looks nearest.

Nearness is the distance in Oklab (Ottosson 2020), where equal steps look equally large. There is no dithering: flat areas stay flat, as
a designer, an embroidery machine or an old screen wants them. Opacity is not touched.
"""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from makar.codecs.image_fit import with_channels
from makar.data.image_reader import read_image
from makar.errors import UsageError

MOST_COLOURS = 256
OPAQUE = 128
FILE_LIMIT_BYTES = 1 << 22
EXPECTED = 'colours such as "#1c1f23,#0a6c74", or a number of colours'
FILES = "a file: .gpl (GIMP), .hex or .txt (one colour a line), or an image"
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_TO_CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def read_palette(given: str | Path) -> np.ndarray | int:
    """Read a palette.

    Args:
        given: Colours separated by commas, or a number of colours; or the path of a file. A text is never taken for the name of a file,
            because it may come from somebody who may not read the files of this machine.

    Returns:
        uint8 ``[colours, 3]`` in the order given, each once; or how many colours every image is to have.

    Raises:
        UsageError: It is none of these, or there are too many colours.
    """
    if isinstance(given, Path):
        return _of_file(given)
    if given.strip().isdecimal():
        # A number of thousands of digits is none that Python reads.
        return _counted(int(given.strip()[:9]))
    parts = [part.strip() for part in given.split(",")]
    if not all(_HEX.fullmatch(part) for part in parts):
        raise UsageError(f"{given[:60]!a} is no palette", expected=EXPECTED)
    return _unique([_colour(part) for part in parts])


def named_palette(text: str) -> str | Path:
    """Return what somebody who may read this machine's files names: the path of a file where it is neither colours nor their number."""
    is_written = text.strip().isdecimal() or all(_HEX.fullmatch(part.strip()) for part in text.split(","))
    return text if is_written else Path(text)


def in_colours(pixels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return an image in the colours of a palette.

    Args:
        pixels: uint8 ``[height, width, 1, 3 or 4]``.
        colours: uint8 ``[colours, 3]``.

    Returns:
        uint8 ``[height, width, 3 or 4]``; opacity as it was.
    """
    seen = with_channels(pixels, 3) if pixels.shape[2] == 1 else pixels[:, :, :3]
    distinct, places = np.unique(seen.reshape(-1, 3), axis=0, return_inverse=True)
    distances = ((oklab(distinct)[:, None] - oklab(colours)[None]) ** 2).sum(2)
    flat = colours[distances.argmin(1)][places.reshape(-1)].reshape(seen.shape)
    return np.concatenate([flat, pixels[:, :, 3:]], axis=2) if pixels.shape[2] == 4 else flat


def own_colours(pixels: np.ndarray, count: int) -> np.ndarray:
    """Return the colours that an image needs most: median cut, then three rounds of means; the same for the same image.

    Args:
        pixels: uint8 ``[height, width, 1, 3 or 4]``; of four channels only what is opaque is looked at.
        count: Most colours.

    Returns:
        uint8 ``[at most count, 3]``.
    """
    seen = (with_channels(pixels, 3) if pixels.shape[2] == 1 else pixels[:, :, :3]).reshape(-1, 3)
    if pixels.shape[2] == 4 and (pixels[:, :, 3] >= OPAQUE).any():
        seen = seen[pixels[:, :, 3].reshape(-1) >= OPAQUE]
    picture = Image.fromarray(np.ascontiguousarray(seen[None]))
    reduced = picture.quantize(count, method=Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE)
    used = np.unique(np.asarray(reduced))
    return np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[used]


def oklab(colours: np.ndarray) -> np.ndarray:
    """Return sRGB colours in Oklab.

    Args:
        colours: uint8 ``[items, 3]``.

    Returns:
        float64 ``[items, 3]``: lightness 0 to 1, green to red, blue to yellow.
    """
    values = np.asarray(colours, np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def written(colours: np.ndarray) -> list[str]:
    """Return colours as ``#rrggbb``."""
    return ["#" + bytes(colour.tolist()).hex() for colour in colours]


def _of_file(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UsageError(f'"{path}" is no palette and no file', expected=f"{EXPECTED}, or {FILES}")
    if path.stat().st_size > FILE_LIMIT_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size} bytes", expected="a palette of a few kilobytes")
    content = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix in (".gpl", ".hex", ".txt"):
        lines = content.decode("utf-8", "replace").splitlines()
        if suffix == ".gpl":
            found = [re.match(r"\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})(?:\s|$)", line) for line in lines]
            colours = [tuple(int(part) for part in match.groups()) for match in found if match]
        else:
            colours = [_colour(line.strip()) for line in lines if _HEX.fullmatch(line.strip())]
        if not colours or any(part > 255 for colour in colours for part in colour):
            raise UsageError(f"{path} names no colours", expected=FILES)
        return _unique(colours)
    pixels = read_image(content)
    seen = with_channels(pixels, 3) if pixels.shape[2] == 1 else pixels[:, :, :3]
    return _unique([tuple(colour) for colour in np.unique(seen.reshape(-1, 3), axis=0).tolist()])


def _colour(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text.removeprefix("#")))


def _unique(colours: list[tuple[int, ...]]) -> np.ndarray:
    listed = list(dict.fromkeys(colours))
    _counted(len(listed))
    return np.array(listed, np.uint8)


def _counted(count: int) -> int:
    if not 1 <= count <= MOST_COLOURS:
        raise UsageError(f"a palette of {count} colours", expected=f"1 to {MOST_COLOURS}", do="choose fewer colours")
    return count
