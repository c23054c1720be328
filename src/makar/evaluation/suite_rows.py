"""What the suites of text share: the tables below a path that have certain columns, a fair share of their rows, and yes-or-no figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from makar.data.file_rows import TABLES, rows_of_file
from makar.errors import DataError, UsageError

Rows = list[dict[str, Any]]


def tables_below(path: Path) -> dict[str, Rows]:
    """Return the rows of a file, or of every table directly in a folder, by its name.

    Raises:
        UsageError: There is nothing there.
        DataError: There is no table.
    """
    if path.is_dir():
        suffixes = {f".{form}" for form in TABLES}
        files = [file for file in sorted(path.iterdir()) if file.is_file() and suffixes & set(file.suffixes)]
        if not files:
            raise DataError(f"{path} has no table", expected=f"files of {', '.join(TABLES)}, packed or not")
        return {file.name: rows_of_file(file) for file in files}
    if not path.exists():
        raise UsageError(f"there is no {path}", expected="the file or folder of the suite")
    return {path.name: rows_of_file(path)}


def with_columns(tables: dict[str, Rows], *columns: str) -> Rows:
    """Return the rows of all tables that have these columns."""
    return [row for rows in tables.values() if set(columns) <= set(rows[0]) for row in rows]


def some(rows: Sequence[Any], count: int, seed: int) -> list[Any]:
    """Return so many rows, drawn, in their order; all for 0."""
    if not count or count >= len(rows):
        return list(rows)
    chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[place] for place in sorted(chosen)]
