"""The data sets that every installation carries, by name; nothing is downloaded."""

import importlib
from typing import Any

from makar.data.document import Source
from makar.errors import DataError, UnknownNameError, UsageError

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
    "spoken": (
        "makar.data.builtin.spoken:SpokenSource",
        "sound",
        "1,000 spoken sentences with their text and the times of their phones; needs the program flite",
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

OPTIONS = {"spoken": "voices=rms+slt,sentences=600,seed=1"}
"""What can be said behind the name of a data set, ``builtin:spoken:sentences=600``."""


def built_in_source(name: str, *, medium: str | None = None) -> Source:
    """Open a built-in data set.

    Args:
        name: Without the ``builtin:``; behind another colon options, for those that have any.
        medium: Must be that of the data set when given.

    Raises:
        UnknownNameError: There is none of that name.
        DataError: It is of another medium.
        UsageError: It has no such options.
    """
    name, _, options = name.partition(":")
    if name not in BUILT_IN:
        raise UnknownNameError("built-in data set", name, BUILT_IN)
    target, own, _ = BUILT_IN[name]
    if medium not in (None, own):
        raise DataError(f"builtin:{name} cannot be read as {medium}", expected=f"medium {own}")
    module, _, attribute = target.partition(":")
    maker: Any = getattr(importlib.import_module(module), attribute)
    if options and name not in OPTIONS:
        known = ", ".join(f"builtin:{one}:{example}" for one, example in OPTIONS.items())
        raise UsageError(f'options "{options}" of builtin:{name}, which has none', expected=f"{known}")
    source: Source = maker(options) if options else maker()
    return source
