"""The fingerprint of a data set: sha256 over name, size and sha256 of every file and over how they are read; nothing is decoded.

``open_dataset`` and ``verify`` come to the same number, the second without examining anything: it only needs to know the medium and
the share held out, which the proof states. A file that has not been touched is hashed once a process, a source once (``kept``).
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from makar.data import kept
from makar.data.document import Progress
from makar.data.entries import files
from makar.data.listing import FileState, listing, state_of
from makar.data.record import MEDIA
from makar.errors import DataError

READING_VERSION = 4
"""Part of every fingerprint; raised when the same files come out as other records."""

BUILT_IN_PREFIX = "builtin:"
HELD_OUT_SHARE = 0.05
"""Share held out where neither the data nor the caller says."""

REMEMBERED_FILES = 200_000

_hashes: dict[tuple[str, FileState], str] = {}


def file_lines(root: Path) -> Iterator[str]:
    """Yield name, size and sha256 of every file below a folder, or of the one file."""
    for name, path in files(root, lambda source, reason: None):
        try:
            yield f"{name}\t{path.stat().st_size}\t{_hash_of(path)}"
        except OSError:
            yield f"{name}\tunreadable"


def fingerprint_of_lines(
    lines: Iterator[str], *, medium: str, held_out_share: float, columns: str = "", progress: Progress | None = None
) -> str:
    """Return the fingerprint that the identity of a source makes.

    Args:
        lines: What ``Source.identity`` yields.
        medium: The medium that the source is read as.
        held_out_share: Share held out where the data does not say.
        columns: Columns that were named by hand, as they were typed.
        progress: Told how many lines have been seen.
    """
    how = "\t".join((str(READING_VERSION), medium, str(held_out_share), *filter(None, [columns])))
    digest = hashlib.sha256(f"{how}\n".encode())
    for count, line in enumerate(lines, start=1):
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        if progress is not None and count % 1000 == 0:
            progress("hashing", count, None)
    return digest.hexdigest()


def fingerprint_of_files(
    root: Path,
    *,
    medium: str,
    held_out_share: float = HELD_OUT_SHARE,
    columns: str = "",
    progress: Progress | None = None,
) -> str:
    """Return the fingerprint of a folder, file or archive; what is untouched since it was last read is not read again."""
    before = listing(root)
    key = kept.key_of("fingerprint", READING_VERSION, before, medium, held_out_share, columns)
    found = kept.load_fingerprint(key) if before is not None else None
    if found is not None:
        return found
    made = fingerprint_of_lines(
        file_lines(root), medium=medium, held_out_share=held_out_share, columns=columns, progress=progress
    )
    if before is not None and listing(root) == before:
        kept.save_fingerprint(key, made)
    return made


def fingerprint_of(source: str, *, medium: str, held_out_share: float = HELD_OUT_SHARE, columns: str = "") -> str:
    """Return the fingerprint of a data set without examining it.

    Args:
        source: A folder, a file, an archive, ``builtin:NAME`` or ``feedback:NAME@ID``.
        medium: The medium that it was read as.
        held_out_share: Share that was held out where the data does not say.
        columns: Columns that were named by hand.

    Raises:
        DataError: There is nothing, or the medium is none that can be read.
    """
    if medium not in MEDIA:
        raise DataError(f'the medium of the data is stated as "{medium}"', expected=" or ".join(MEDIA))
    if source.startswith(BUILT_IN_PREFIX):
        from makar.data.builtin.table import built_in_source

        built_in = built_in_source(source.removeprefix(BUILT_IN_PREFIX), medium=medium)
        return fingerprint_of_lines(built_in.identity(), medium=medium, held_out_share=held_out_share)
    if source.startswith("feedback:"):
        from makar.data.feedback.source import FeedbackSource

        said = FeedbackSource(source.removeprefix("feedback:"), medium=medium)
        return fingerprint_of_lines(said.identity(), medium=medium, held_out_share=held_out_share)
    root = Path(source).expanduser()
    if not root.exists():
        raise DataError(f"{source} does not exist", expected="a folder, a file or an archive")
    return fingerprint_of_files(root, medium=medium, held_out_share=held_out_share, columns=columns)


def _hash_of(path: Path) -> str:
    state = state_of(path)
    known = _hashes.get((str(path), state)) if state is not None else None
    if known is not None:
        return known
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if state is not None and state == state_of(path) and len(_hashes) < REMEMBERED_FILES:
        _hashes[str(path), state] = digest
    return digest
