"""All rows of one table file, for what is measured on a file rather than learned from: csv, tsv, JSON lines, JSON, Parquet, also packed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from makar.data.entries import entries
from makar.data.tables import rows
from makar.errors import DataError, EmptyDataError, UsageError

TABLES = ("csv", "tsv", "jsonl", "json", "parquet")


def rows_of_file(path: str | Path) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries.

    Raises:
        UsageError: There is no such file.
        DataError: It is no table.
        EmptyDataError: It has no rows.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected=f"a table: {', '.join(TABLES)}, packed or not")
    reasons: list[str] = []
    found: list[dict[str, Any]] = []

    def skip(name: str, reason: str) -> None:
        reasons.append(f"{name}: {reason}")

    for entry in entries(path, skip):
        if entry.kind.form not in TABLES:
            raise DataError(f"{entry.name} is {entry.kind.form}", expected=f"a table: {', '.join(TABLES)}")
        found += rows(entry, skip)
    if reasons:
        raise DataError(f"{len(reasons)} places of {path} cannot be read, first {reasons[0]}", expected="whole rows")
    if not found:
        raise EmptyDataError(f"{path} has no rows", expected="at least one")
    return found


def column_of(row_list: list[dict[str, Any]], names: tuple[str, ...], *, what: str) -> str:
    """Return which of some names the rows have.

    Raises:
        DataError: They have none of them.
    """
    columns = list(row_list[0])
    for name in names:
        if name in columns:
            return name
    raise DataError(f"the columns are {', '.join(columns)}", expected=f"{what}: one of {', '.join(names)}")


def cell_of(row: Mapping[str, Any], column: str, *, number: int) -> str:
    """Return what a row holds in a column, as text.

    Args:
        row: The row.
        column: The column.
        number: Of the row, from 1.

    Raises:
        DataError: It holds nothing there.
    """
    value = row.get(column)
    if value is None or not str(value).strip():
        raise DataError(
            f"row {number} has no {column}", expected="a value in each row", do="fill it, or leave the row out"
        )
    return str(value)
