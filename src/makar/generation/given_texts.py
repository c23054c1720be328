"""Texts that are there to be read: given themselves, in files, in the rows of tables, line by line from the standard input.

An input that is the name of a file is the text in that file; a table (CSV, TSV, JSON lines, Parquet, CoNLL, also compressed) stands for its
rows, a folder for its text files, ``-`` for the lines of the standard input; everything else is itself the text. What cannot be read is
refused: a row that is left out would be one answer too few, and nobody would notice.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from makar.data.entries import entries
from makar.data.sniffing import TABLE_SUFFIXES, suffix_of
from makar.data.tables import rows
from makar.data.task_columns import NAMES
from makar.errors import DataError

SUFFIXES = (".txt", ".md", ".text")
LARGEST_BYTES = 64 << 20
STDIN = "-"


def given_texts(inputs: Sequence[Any] | Any) -> Iterator[tuple[str, str]]:
    """Yield the name of every text, which is the text itself where it has no other, and the text.

    Args:
        inputs: Texts, files or folders, or several of these.

    Raises:
        DataError: A file or a row cannot be read, or has no text.
    """
    for item in [inputs] if isinstance(inputs, str | Path) else inputs:
        if str(item) == STDIN:
            yield from ((line.strip(), line.strip()) for line in sys.stdin if line.strip())
        elif _is_there(item):
            yield from _in_place(Path(item))
        elif isinstance(item, Path):
            raise DataError(f"there is no file {item}", expected="a file of text, a table, or a text")
        else:
            yield str(item), str(item)


def _in_place(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                yield str(file), _read(file)
    elif suffix_of(path.name) in (*TABLE_SUFFIXES, "parquet"):
        yield from _in_table(path)
    else:
        yield str(path), _read(path)


def _in_table(path: Path) -> Iterator[tuple[str, str]]:
    for entry in entries(path, _refuse):
        if entry.kind.group != "table":
            raise DataError(f"{path} is no table: {entry.kind.form}", expected="rows with a column of text")
        for number, row in enumerate(rows(entry, _refuse), start=1):
            yield f"{path}#{number}", _text_of(row, f"{path}#{number}")


def _text_of(row: Mapping[str, Any], name: str) -> str:
    columns = {str(column).lower(): value for column, value in row.items()}
    for wanted in NAMES["text"]:
        if isinstance(columns.get(wanted), str):
            return str(columns[wanted])
    for wanted in NAMES["tokens"]:
        words = columns.get(wanted)
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return " ".join(words)
    texts = [value for value in columns.values() if isinstance(value, str)]
    if len(texts) != 1:
        raise DataError(
            f"{name} has no column that is the text: {', '.join(map(str, row)) or 'no column'}",
            expected=f"a column called {', '.join(NAMES['text'])}, or one column of text only",
        )
    return texts[0]


def _refuse(name: str, reason: str) -> NoReturn:
    raise DataError(f"{name}: {reason}", do="repair it, or leave it out")


def _is_there(item: Any) -> bool:
    # No name is the current folder, and an empty text does not ask for that.
    if not str(item).strip():
        return False
    try:
        return Path(item).exists()
    except (OSError, ValueError):
        # A long text is no name that a file could have.
        return False


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"{path} has {path.stat().st_size} bytes", expected=f"at most {LARGEST_BYTES}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error.reason}", do="convert it first") from error
