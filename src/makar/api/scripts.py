"""A file as a script to be read aloud: text in UTF-8, or a document as ``makar index`` reads it. No torch is imported."""

from pathlib import Path

from makar.data.entries import entries
from makar.errors import DataError, UsageError
from makar.retrieval.reading import read_entry

LARGEST_BYTES = 4 << 20
"""Of a file of text; documents hold pictures too."""

DOCUMENTS = (".pdf", ".docx", ".pptx", ".xlsx", ".html", ".htm")
"""What is read as a document; everything else is text."""


def script_of(path: Path) -> str:
    """Return what a file says.

    Args:
        path: A file that exists.

    Raises:
        UsageError: It is too long.
        DataError: It is damaged, or no text.
    """
    if path.suffix.lower() not in DOCUMENTS:
        if path.stat().st_size > LARGEST_BYTES:
            raise UsageError(f"{path.name} is too long", expected=f"a script of at most {LARGEST_BYTES >> 20} MB")
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path.name} is no text in UTF-8: {error.reason}", do="convert it first") from error

    def refuse(name: str, reason: str) -> None:
        raise DataError(f"{name}: {reason}")

    found = [read_entry(entry, refuse).text for entry in entries(path, refuse)]
    if len(found) != 1:
        raise DataError(f"{path.name} is no document", expected=", ".join(DOCUMENTS))
    return found[0]
