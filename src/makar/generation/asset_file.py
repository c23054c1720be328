"""What an asset is as a file: its bytes and their media type, wherever it is written, sent or kept."""

from typing import Any

import numpy as np

from makar.data.feedback.judgement import MIDI_TYPE, WAVE_TYPE
from makar.data.structure_writer import TYPES as STRUCTURE_TYPES
from makar.data.video_file import TYPES
from makar.provenance.content import Drawing, Film, Piece, Recording, Structure
from makar.provenance.embedding import png_bytes

TEXT_TYPE, IMAGE_TYPE, DRAWING_TYPE = "text/plain; charset=utf-8", "image/png", "image/svg+xml"


def file_of(content: Any, signed: dict[str, Any]) -> bytes:
    """Return the file of what was made; an image holds its signed manifest, beside everything else it lies in a file of its own.

    Args:
        content: Of an asset.
        signed: The signed manifest.
    """
    if isinstance(content, np.ndarray):
        return png_bytes(content, signed)
    if isinstance(content, Piece):
        return content.midi
    if isinstance(content, Recording):
        return content.wave
    if isinstance(content, Film | Structure):
        return content.file
    text: str = content.text if isinstance(content, Drawing) else content
    return text.encode("utf-8")


def type_of(content: Any) -> str:
    """Return the media type of that file."""
    if isinstance(content, Film | Structure):
        return (TYPES | STRUCTURE_TYPES)[content.form]
    types = {np.ndarray: IMAGE_TYPE, Piece: MIDI_TYPE, Recording: WAVE_TYPE, Drawing: DRAWING_TYPE}
    return next((kind for made, kind in types.items() if isinstance(content, made)), TEXT_TYPE)
