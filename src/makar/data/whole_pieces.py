"""What a file of sound, video or protein structure consists of, by its form: pieces that follow each other."""

from collections.abc import Iterator

from makar.data import video_reader
from makar.data.backbone import Backbone
from makar.data.clip import Clip
from makar.data.entries import Entry
from makar.data.sound import Sound
from makar.data.sound_reader import read_pieces
from makar.data.structure_reader import LIMIT_BYTES, read_backbones
from makar.data.tables import seekable

IN_PIECES = ("sound", "structure", "video")
"""Groups of files that are read here."""


def whole_pieces(entry: Entry, *, has_words: bool) -> Iterator[Sound | Clip | Backbone]:
    """Yield the pieces of a file.

    Args:
        entry: A file of one of the groups.
        has_words: Whether there is a text that belongs to the whole of a sound.

    Raises:
        DataError: It is damaged, or nothing in it can be used.
    """
    if entry.kind.group == "structure":
        yield from read_backbones(entry.whole(limit_bytes=LIMIT_BYTES), entry.kind.form)
        return
    with seekable(entry) as stream:
        if entry.kind.group == "video":
            yield from video_reader.read_pieces(stream)
        else:
            yield from read_pieces(stream, has_words=has_words)
