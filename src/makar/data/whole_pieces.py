"""What a file of sound, video or protein structure consists of, by its form: pieces that follow each other.

The file lies in a folder or an archive, or in the cell of a table; what it is, its first bytes say in either place.
"""

import io
from collections.abc import Iterator

from makar.data import video_reader
from makar.data.backbone import Backbone
from makar.data.clip import Clip
from makar.data.encoded_cells import Payload, content_of, kind_of
from makar.data.entries import Entry
from makar.data.image_reader import FILE_LIMIT_BYTES
from makar.data.sound import Sound
from makar.data.sound_reader import read_pieces
from makar.data.structure_reader import LIMIT_BYTES, read_backbones
from makar.data.tables import seekable
from makar.errors import DataError

IN_PIECES = ("sound", "structure", "video")
"""Media that are read so."""


def whole_pieces(entry: Entry, *, has_words: bool) -> Iterator[Sound | Clip | Backbone]:
    """Yield the pieces of a file.

    Args:
        entry: A file of one of these media, or a picture among videos.
        has_words: Whether there is a text that belongs to the whole of a sound.

    Raises:
        DataError: It is damaged, or nothing in it can be used.
    """
    if entry.kind.group == "structure":
        yield from read_backbones(entry.whole(limit_bytes=LIMIT_BYTES), entry.kind.form)
        return
    if entry.kind.group == "image":
        # A picture among videos.
        yield video_reader.picture_clip(entry.whole(limit_bytes=FILE_LIMIT_BYTES))
        return
    with seekable(entry) as stream:
        if entry.kind.group == "video":
            yield from video_reader.read_pieces(stream)
        else:
            yield from read_pieces(stream, has_words=has_words)


def pieces_of_cell(payload: Payload, medium: str, *, has_words: bool) -> Iterator[Sound | Clip]:
    """Yield the pieces of a file in the cell of a table.

    Args:
        payload: The file.
        medium: ``"sound"`` or ``"video"``; a picture among videos is a clip of one frame.
        has_words: Whether there is a text that belongs to the whole of a sound.

    Raises:
        DataError: It is damaged, of another medium, or nothing in it can be used.
    """
    kind = kind_of(payload)
    if kind is None or kind.group != medium:
        if kind is not None and (medium, kind.group) == ("video", "image"):
            yield video_reader.picture_clip(content_of(payload))
            return
        reason = "text" if kind is None else kind.form
        raise DataError(f"no {medium}: {reason}", expected=f"the bytes of a file of {medium}")
    stream = io.BytesIO(content_of(payload))
    if medium == "video":
        yield from video_reader.read_pieces(stream)
    else:
        yield from read_pieces(stream, has_words=has_words)
