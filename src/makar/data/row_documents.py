"""Documents out of rows of tables: their content, and what the other columns say of it."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.data import licences
from makar.data.document import Document
from makar.data.encoded_cells import ENCODED, Payload, content_of, payload_of
from makar.data.image_reader import read_image
from makar.data.record import UNKNOWN_LICENCE
from makar.data.sequence_cells import one_grid, one_molecule, one_protein
from makar.data.sequence_columns import number_of, property_name
from makar.data.split_names import split_of_value
from makar.data.table_columns import Columns, text_of
from makar.data.task_rows import group_of, learnable_text, row_roles
from makar.data.text_stream import parts, repaired
from makar.data.whole_pieces import pieces_of_cell


def task_document(name: str, row: dict[str, Any], columns: Columns, label_names: list[str] | None) -> Document | None:
    """Return the document of a row that is labelled for a task of language, ``None`` where it lacks what the task needs.

    Args:
        name: What it is called.
        row: Its cells by column.
        columns: The parts that the columns play.
        label_names: Names of labels that are numbers.
    """
    assert columns.task is not None
    roles = row_roles(row, columns.task, label_names)
    if roles is None:
        return None
    task = columns.task.task
    # Source code is learned without the words that describe it.
    text = roles["targets"][0] if columns.medium == "code" else learnable_text(task, roles)
    labels = roles.get("labels", ())
    return _described(
        Document(
            name=name,
            read=lambda: iter([repaired(text)]),
            group=group_of(task, roles),
            label=labels[0] if len(labels) == 1 else None,
            roles=roles,
        ),
        row,
        columns,
    )


def row_document(name: str, row: dict[str, Any], columns: Columns, label_names: list[str] | None) -> Document | None:
    """Return the document of a row of content, ``None`` where it has none; as ``task_document``."""
    cell = row.get(columns.content)
    caption = text_of(row.get(columns.caption)) if columns.caption else None
    if columns.medium in ENCODED:
        encoded = payload_of(cell)
        if encoded is None:
            return None
        read: Any = functools.partial(_image, encoded)
        if columns.medium != "image":
            read = functools.partial(pieces_of_cell, encoded, columns.medium, has_words=bool(caption))
    elif columns.medium in ("molecule", "protein"):
        if not isinstance(cell, str) or not cell.strip():
            return None
        read = functools.partial(one_molecule if columns.medium == "molecule" else one_protein, cell.strip())
    elif columns.medium == "music":
        if not isinstance(cell, list) or not cell:
            return None
        read = functools.partial(one_grid, cell)
    else:
        text = text_of(cell)
        if text is None or not text.strip():
            return None
        read = functools.partial(_text_parts, text)
    pair = payload_of(row.get(columns.pair)) if columns.pair else None
    return _described(
        Document(
            name=name,
            read=read,
            read_pair=None if pair is None else functools.partial(_image, pair),
            is_alone=columns.pair is not None and pair is None,
            caption=caption,
            label=_label(row.get(columns.label), label_names) if columns.label else None,
            properties=_numbers(row, columns.properties),
        ),
        row,
        columns,
    )


def _described(document: Document, row: dict[str, Any], columns: Columns) -> Document:
    """Add what a row says of itself beside its content: its part, licence, consent and language."""
    licence = row.get(columns.licence) if columns.licence else None
    document.official = split_of_value(row.get(columns.split)) if columns.split else None
    document.licence = licences.licence_named(str(licence)) if licence else UNKNOWN_LICENCE
    document.consent = str(row.get(columns.consent) or "unknown") if columns.consent else "unknown"
    document.language = str(row[columns.language]) if columns.language and row.get(columns.language) else None
    return document


def _label(value: Any, names: list[str] | None) -> str | None:
    if value is None:
        return None
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return str(value)


def _numbers(row: dict[str, Any], columns: tuple[str, ...]) -> dict[str, float] | None:
    found = {property_name(column): number_of(row.get(column)) for column in columns}
    return {name: value for name, value in found.items() if value is not None} or None


def _image(payload: Payload) -> np.ndarray:
    return read_image(content_of(payload))


def _text_parts(text: str) -> Iterator[str]:
    return parts(iter([repaired(text)]))
