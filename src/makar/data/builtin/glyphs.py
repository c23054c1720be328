"""Letters, figures and symbols drawn with the typefaces found on this machine: 32 x 32 grey pictures with captions and labels.

The typefaces inside matplotlib (DejaVu, STIX, Computer Modern) are always there and come first, then those of the system whose licence is
known, in the order of their names. A caption is the Unicode name with the name of the typeface, a label is the character. Black on white,
the letter as large as fits with its place on the line kept, so that "p" hangs and "'" floats. Nothing is drawn at random.
"""

import functools
import hashlib
import importlib.util
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from makar.data.document import Document, Found, Skip, Source
from makar.errors import DataError

SIDE_PIXELS = 32
FONT_PIXELS = 24
FONT_LIMIT = 60
UNKNOWN = "NOASSERTION"
CHARACTERS = (
    [chr(code) for code in range(0x30, 0x3A)]
    + [chr(code) for code in range(0x41, 0x5B)]
    + [chr(code) for code in range(0x61, 0x7B)]
    + list("&@#%$?!*+=<>§¶¿¡±×÷ßæøåçéñöü")
    + [chr(code) for code in range(0x391, 0x3AA) if code != 0x3A2]
    + [chr(code) for code in range(0x3B1, 0x3CA)]
    + list("←↑→↓↔⇒⇔∀∂∃∅∇∈∏∑√∞∧∨∩∪∫≈≠≤≥⊂⊃⊕⊗")
)
SYSTEM_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
LICENCES = {
    "dejavu": "Bitstream-Vera",
    "stix": "LicenseRef-STIX",
    "cm": "LicenseRef-BaKoMa",
    "liberation": "OFL-1.1",
    "noto": "OFL-1.1",
    "roboto": "Apache-2.0",
}
# Fonts of pieces and of boxes for missing letters, and symbol fonts with their own encodings, draw something else than the letter.
LEFT_OUT = (
    "lastresort",
    "stixnonuni",
    "stixsiz",
    "cmex10",
    "cmsy10",
    "cmmi10",
    "dejavusansdisplay",
    "dejavuserifdisplay",
    "emoji",
)


class GlyphsSource(Source):
    """One document a letter and typeface.

    Raises:
        DataError: No typeface was found.
    """

    name, medium = "glyphs", "image"

    def __init__(self) -> None:
        self._fonts = font_files()
        if not self._fonts:
            raise DataError("no typeface was found", expected="those inside matplotlib", do="pip install matplotlib")
        licences = sorted({licence_of_font(path) for path in self._fonts})
        self.found = Found(
            files={path.suffix[1:].lower(): 0 for path in self._fonts},
            licences=[
                {"licence": licence, "stated_in": "the makers of the typefaces", "how": "built in"}
                for licence in licences
            ],
            notes=[f"{len(self._fonts)} typefaces, {len(CHARACTERS)} characters, {SIDE_PIXELS} x {SIDE_PIXELS} pixels"],
        )
        self.found.files.clear()
        for path in self._fonts:
            self.found.count(path.suffix[1:].lower(), path.stat().st_size)

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield typeface after typeface, character after character."""
        for path in self._fonts:
            try:
                font = ImageFont.truetype(str(path), FONT_PIXELS, layout_engine=ImageFont.Layout.BASIC)
            except OSError:
                skip(path.name, "a typeface that cannot be read")
                continue
            family = _font_name(font, path)
            missing = _mask(font, "\U0010fffd")
            for character in CHARACTERS:
                if not _is_drawn(font, character, missing):
                    continue
                yield Document(
                    name=f"{path.stem}/{ord(character):04x}",
                    read=functools.partial(draw, font, character),
                    label=character,
                    caption=f"{unicodedata.name(character).lower()}, {family}",
                    licence=licence_of_font(path),
                )

    def identity(self) -> Iterator[str]:
        """Yield the sha256 of every typeface and the version of the drawing."""
        yield f"glyphs\t{SIDE_PIXELS}\t{FONT_PIXELS}\t{''.join(CHARACTERS)}"
        for path in self._fonts:
            yield f"{path.name}\t{hashlib.sha256(path.read_bytes()).hexdigest()}"


def font_files() -> list[Path]:
    """Return the typefaces whose licence is known, those of matplotlib first; one of a name, at most ``FONT_LIMIT``."""
    found: dict[str, Path] = {}
    specification = importlib.util.find_spec("matplotlib")
    folders = [Path(folder) for folder in SYSTEM_FOLDERS]
    if specification is not None and specification.origin:
        folders.insert(0, Path(specification.origin).parent / "mpl-data" / "fonts" / "ttf")
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            stem = path.stem.lower()
            is_letters = path.suffix.lower() in (".ttf", ".otf") and not stem.startswith(LEFT_OUT)
            if is_letters and licence_of_font(path) != UNKNOWN:
                found.setdefault(stem, path)
    return list(found.values())[:FONT_LIMIT]


def licence_of_font(path: Path) -> str:
    """Return the licence of a typeface by the family its file is named after, ``UNKNOWN`` when it is not known."""
    stem = path.stem.lower()
    return next((licence for start, licence in LICENCES.items() if stem.startswith(start)), UNKNOWN)


def draw(font: Any, character: str) -> np.ndarray:
    """Draw one character.

    Returns:
        ``uint8 [32, 32, 1]``, black on white, in the middle of the width and on a line common to all.
    """
    image = Image.new("L", (SIDE_PIXELS, SIDE_PIXELS), 255)
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    across = (SIDE_PIXELS - (right - left)) / 2 - left
    # The line stands at 24 of 32 pixels unless the letter would leave the picture.
    down = min(max(24, -top + 1), SIDE_PIXELS - 1 - bottom)
    ImageDraw.Draw(image).text((round(across), down), character, fill=0, font=font, anchor="ls")
    return np.array(image, np.uint8)[:, :, None]


def _mask(font: Any, character: str) -> bytes:
    return bytes(font.getmask(character))


def _is_drawn(font: Any, character: str, missing: bytes) -> bool:
    mask = _mask(font, character)
    return bool(mask) and any(mask) and mask != missing


def _font_name(font: Any, path: Path) -> str:
    family, style = font.getname()
    words = f"{family or path.stem} {style or ''}".lower().split()
    return " ".join(word for word in words if word not in ("regular", "book", "roman"))
