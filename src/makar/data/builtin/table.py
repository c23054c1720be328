"""The data sets that every installation carries, by name; nothing is downloaded."""

import importlib
from typing import Any

from makar.data.document import Source
from makar.errors import DataError, UnknownNameError

BUILT_IN: dict[str, tuple[str, str, str]] = {
    "backbones": (
        "makar.data.builtin.backbones:BackbonesSource",
        "structure",
        "600 protein backbones of four kinds from published torsions, with labels",
    ),
    "digits": (
        "makar.data.builtin.digits:DigitsSource",
        "image",
        "1,797 handwritten digits of 8 x 8 pixels, with labels",
    ),
    "effects": (
        "makar.data.builtin.effects:EffectsSource",
        "sound",
        "600 sound effects of ten kinds, with labels and captions",
    ),
    "glyphs": (
        "makar.data.builtin.glyphs:GlyphsSource",
        "image",
        "letters and symbols drawn with the typefaces of this machine",
    ),
    "python-code": ("makar.data.builtin.python_code:PythonCodeSource", "code", "the standard library of this Python"),
    "python-docs": (
        "makar.data.builtin.python_docs:PythonDocsSource",
        "text",
        "the reference and documentation of this Python",
    ),
    "songs": (
        "makar.data.builtin.songs:SongsSource",
        "sound",
        "300 sung phrases in three styles, with labels and their words; needs the program flite",
    ),
    "tunes": (
        "makar.data.builtin.tunes:TunesSource",
        "sound",
        "600 tunes of four seconds in three styles, with labels and captions",
    ),
    "shapes": (
        "makar.data.builtin.shapes:ShapesSource",
        "video",
        "960 videos of three shapes in four colours that move in four directions, with labels and captions",
    ),
}
"""Name to implementation, medium and one sentence."""


def built_in_source(name: str, *, medium: str | None = None) -> Source:
    """Open a built-in data set.

    Args:
        name: Without the ``builtin:``.
        medium: Must be that of the data set when given.

    Raises:
        UnknownNameError: There is none of that name.
        DataError: It is of another medium.
    """
    if name not in BUILT_IN:
        raise UnknownNameError("built-in data set", name, BUILT_IN)
    target, own, _ = BUILT_IN[name]
    if medium not in (None, own):
        raise DataError(f"builtin:{name} cannot be read as {medium}", expected=f"medium {own}")
    module, _, attribute = target.partition(":")
    maker: Any = getattr(importlib.import_module(module), attribute)
    source: Source = maker()
    return source
