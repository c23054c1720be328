"""Texts that are there to be read: given themselves, in files, in the rows of tables, line by line from the standard input.

An input that is the name of a file is the text in that file; a table (CSV, TSV, JSON lines, Parquet, CoNLL, also compressed) stands for its
rows, a folder for its text files, ``-`` for the lines of the standard input; everything else is itself the text, but for one word that is
called like such a file. What cannot be read is refused: a row that is left out would be one answer too few, and nobody would notice.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

from makar.data.entries import entries
from makar.data.sniffing import TABLE_SUFFIXES, suffix_of
from makar.data.table_columns import SAMPLE_ROWS
from makar.data.tables import rows
from makar.data.task_cells import is_words
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
        elif isinstance(item, Path) or _is_called_like_a_file(str(item)):
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
        found = rows(entry, _refuse)
        first = list(islice(found, SAMPLE_ROWS))
        column = _text_column(first, str(path))
        for number, row in enumerate(chain(first, found), start=1):
            yield f"{path}#{number}", _text_of(row, column, f"{path}#{number}")


def _text_column(first: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return which column of a table is the text, the same of all rows: one without it has no text, whatever else it holds."""
    cells = {str(column): [row.get(column) for row in first] for column in dict.fromkeys(chain.from_iterable(first))}
    for wanted, fits in (
        *((name, _is_text) for name in NAMES["text"]),
        *((name, is_words) for name in NAMES["tokens"]),
    ):
        for column, values in cells.items():
            if column.lower() == wanted and any(map(fits, values)):
                return column
    texts = [column for column, values in cells.items() if any(map(_is_text, values))]
    if len(texts) != 1:
        raise DataError(
            f"{name} has no column that is the text: {', '.join(cells) or 'no column'}",
            expected=f"a column called {', '.join(NAMES['text'])}, or one column of text only",
        )
    return texts[0]


def _text_of(row: Mapping[str, Any], column: str, name: str) -> str:
    cell: Any = row.get(column)
    if is_words(cell):
        return " ".join(cell)
    if not _is_text(cell) or not cell.strip():
        raise DataError(
            f"{name} has no text in {column}", expected="a text in every row", do="fill it, or leave the row out"
        )
    return str(cell)


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str)


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


def _is_called_like_a_file(text: str) -> bool:
    """Return whether one word ends as the files do that are read here: a mistyped name would else be answered as if it were a text."""
    is_word = len(text.split()) == 1 and "://" not in text
    return is_word and (text.lower().endswith(SUFFIXES) or suffix_of(text) in (*TABLE_SUFFIXES, "parquet"))


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"{path} has {path.stat().st_size} bytes", expected=f"at most {LARGEST_BYTES}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error.reason}", do="convert it first") from error
