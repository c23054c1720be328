"""Which column of a table holds the content, and which the caption, label, split, licence and consent.

Content: a column of SMILES, of amino acids or of rows of pitches; a column of encoded images, sounds or videos, of several media that
    with the most bytes; else a column called text, content and so on; else, in a table of code, ``code``; else the column with the
    longest strings. Numbers, dates, paths and short words are no text: a table with nothing else is refused and its columns listed.
    Where there are exactly two columns of images, a row is a pair. The choice is made from the first rows and reported.
"""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from makar.data.encoded_cells import ENCODED, file_column, medium_of_cells, size_of_cell
from makar.data.label_remarks import mixed_labels, why_unlabelled
from makar.data.sequence_columns import column_problem, molecule_column, music_column, number_columns, protein_column
from makar.data.task_columns import REWRITE, TaskColumns, chosen_by_hand, find_task
from makar.errors import DataError

SAMPLE_ROWS = 100
SAMPLE_BYTES = 64 << 20
"""Of rows with large files in them fewer are looked at."""

TEXT_NAMES = ("text", "content", "contents", "document", "body", "article", "markdown", "passage", "sentence")
CODE_NAMES = (
    "code",
    "source_code",
    "func_code_string",
    "whole_func_string",
    "canonical_solution",
    "solution",
    "program",
)
CAPTION_NAMES = (
    "caption", "captions", "text", "transcription", "transcript", "sentence", "description", "title", "name", "prompt", "alt", "alt_text",
)  # fmt: skip
LABEL_NAMES = (
    "label_name", "label", "labels", "class", "class_name", "category", "fine_label", "coarse_label", "digit", "emotion", "group",
    "style",
)  # fmt: skip
SPEAKER_NAMES = ("speaker", "speaker_id", "voice")
"""Whose speech it is, the class of sounds that have no other."""

SPLIT_NAMES = ("split", "partition", "subset")
LICENCE_NAMES = ("licence", "license", "licences", "licenses", "spdx", "rights")
MEAN_TEXT_CHARACTERS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns:
    """The part that each column plays; ``medium`` is that of the content, ``candidates`` could be the content instead.

    ``pair`` is the other one of two columns of images; ``task`` is what a table of text is labelled for; ``properties`` are the columns of
    numbers beside molecules; ``remark`` and ``warning`` are what is to be said of its labels.
    """

    medium: str
    content: str
    available: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    pair: str | None = None
    caption: str | None = None
    label: str | None = None
    split: str | None = None
    licence: str | None = None
    consent: str | None = None
    language: str | None = None
    task: TaskColumns | None = None
    properties: tuple[str, ...] = ()
    remark: str = ""
    warning: str = ""

    def used(self) -> list[str]:
        """Return the columns that are read."""
        parts = (
            self.content,
            self.pair,
            self.caption,
            self.label,
            self.split,
            self.licence,
            self.consent,
            self.language,
            *(self.task.used() if self.task else ()),
            *self.properties,
        )
        return list(dict.fromkeys(column for column in parts if column))


def choose_columns(
    rows: Iterator[dict[str, Any]], *, medium: str | None = None, by_hand: Mapping[str, str] | None = None
) -> Columns:
    """Choose from the first rows of a table.

    Args:
        rows: The rows; at most ``SAMPLE_ROWS`` are taken, and no more once they hold ``SAMPLE_BYTES``.
        medium: Prefer the content of this medium where there is a choice.
        by_hand: Columns of the roles of a task, where somebody named them.

    Raises:
        UsageError: Those roles are of no task.
        UnknownNameError: There is no such column or role.
        DataError: No column holds content; the columns are listed.
    """
    sample = _sample(rows)
    if not sample:
        raise DataError("a table without rows")
    names = list(dict.fromkeys(name for row in sample for name in row))
    values = {name: [row[name] for row in sample if not _is_empty(row.get(name))] for name in names}
    molecules = molecule_column(values) if medium in (None, "molecule") and not by_hand else None
    if molecules is not None:
        properties = number_columns(values, without=molecules)
        chosen = Columns(medium="molecule", content=molecules, available=tuple(names), properties=properties)
        return _about(chosen, values)
    pieces = music_column(values) if medium in (None, "music") and not by_hand else None
    if pieces is not None:
        rest = [name for name in names if name != pieces]
        label = _named(rest, LABEL_NAMES, values, _is_label)
        return _about(Columns(medium="music", content=pieces, available=tuple(names), label=label), values)
    proteins = protein_column(values) if medium in (None, "protein") and not by_hand else None
    if proteins is not None:
        return _about(Columns(medium="protein", content=proteins, available=tuple(names)), values)
    content, found, candidates = _content(values, medium)
    task = None
    if found not in ENCODED or content is None:
        task = chosen_by_hand(by_hand, names) if by_hand else find_task(values)
    if task is not None:
        # A text to be made into code is code, whatever else the row holds.
        is_code = task.task == REWRITE and str(task.roles["target"]).lower() in CODE_NAMES and medium != "text"
        content = content or next(iter(task.roles.values()))
        content, found = (task.roles["target"], "code") if is_code else (content, "text" if medium is None else found)
    if content is None and (problem := column_problem(values)):
        raise DataError(problem, expected="a molecule (SMILES) or a protein a row")
    hollow = [name for name in names if str(name).lower() in TEXT_NAMES and not values[name]]
    if content is None and hollow:
        raise DataError(
            f'the column "{hollow[0]}" is empty in the first {len(sample)} rows',
            expected="a text in every row",
            do="fill it, or give the texts in another column: --columns text=COLUMN",
        )
    if content is None:
        raise DataError(
            f"a table without a text column; its columns are: {', '.join(map(str, names))}",
            expected="a column of text (called text, content ...), or of images, sounds or videos as files",
            do="rename the column that holds the text to text",
        )
    rest = [name for name in names if name != content]
    images = [name for name in rest if found == "image" and medium_of_cells(values[name], found) == "image"]
    labels = (*LABEL_NAMES, *SPEAKER_NAMES) if found == "sound" else LABEL_NAMES
    chosen = Columns(
        medium=found,
        content=content,
        available=tuple(names),
        candidates=candidates,
        pair=images[0] if len(images) == 1 else None,
        caption=_named(rest, CAPTION_NAMES, values, _is_short_text) if found in ENCODED else None,
        label=_named(rest, labels, values, _is_label),
        language=_named(rest, ("language", "lang"), values, _is_label),
        task=task,
        remark=why_unlabelled(values) if task is None and found == "text" else "",
        warning=mixed_labels(values[task.roles["label"]]) if task is not None and "label" in task.roles else "",
    )
    return _about(chosen, values)


def _sample(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    sample: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        sample.append(row)
        size += sum(map(size_of_cell, row.values()))
        if len(sample) == SAMPLE_ROWS or size >= SAMPLE_BYTES:
            break
    return sample


def _is_empty(cell: Any) -> bool:
    """Whether a cell holds nothing: no value, nothing but spaces, a list of nothing, or no number, as a gap becomes among numbers."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, list) and not cell) or (isinstance(cell, float) and math.isnan(cell))


def _about(columns: Columns, values: dict[str, list[Any]]) -> Columns:
    """Return columns with those of what is known of any row: its part, its licence, the consent."""
    rest = [name for name in columns.available if name != columns.content]
    return dataclasses.replace(
        columns,
        split=_named(rest, SPLIT_NAMES, values, _is_label),
        licence=_named(rest, LICENCE_NAMES, values, _is_label),
        consent=_named(rest, ("consent",), values, _is_label),
    )


def text_of(value: Any) -> str | None:
    """Return the text in a cell: a string, a list of strings, or the turns of a conversation; ``None`` when there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if isinstance(value, list) and value:
        texts = [text_of(_turn(item)) for item in value]
        if all(text is not None for text in texts):
            pieces = [text for text in texts if text is not None]
            # Words of a sentence are joined by spaces, paragraphs and turns by an empty line.
            return ("\n\n" if sum(map(len, pieces)) > 40 * len(pieces) else " ").join(pieces)
    return None


def _turn(item: Any) -> Any:
    if isinstance(item, dict):
        for key in ("content", "value", "text"):
            if isinstance(item.get(key), str):
                return item[key]
        return None
    return item


def _content(values: dict[str, list[Any]], medium: str | None) -> tuple[str | None, str, tuple[str, ...]]:
    file = file_column(values, medium)
    if file.content is not None:
        return file.content, file.medium, ()
    others = {name: cells for name, cells in values.items() if name not in file.columns}
    texts = {name: length for name, cells in others.items() if (length := _text_length(name, cells)) is not None}
    named_text = [name for wanted in TEXT_NAMES for name in texts if str(name).lower() == wanted]
    named_code = [name for wanted in CODE_NAMES for name in texts if str(name).lower() == wanted]
    if named_code and (medium == "code" or (medium is None and not named_text)):
        return named_code[0], "code", ()
    if named_text:
        return named_text[0], "text", ()
    long = {name: length for name, length in texts.items() if length >= MEAN_TEXT_CHARACTERS}
    return (max(long, key=lambda name: long[name]) if long else None), "text", tuple(long)


_NEVER_TEXT = frozenset(
    ("id", "_id", "url", "uri", "file", "file_name", "filename", "fname", "path", "commit", "sha", "hash")
)
_PLACE = re.compile(r"\S*(://\S*|\.[A-Za-z]\w{1,4})$")


def _text_length(name: str, cells: list[Any]) -> float | None:
    """Mean length of a column of text, ``None`` when it holds numbers, dates, paths, addresses or marks."""
    texts = [text for text in map(text_of, cells) if text is not None]
    if not texts or len(texts) < 0.9 * len(cells) or str(name).lower() in _NEVER_TEXT:
        return None
    is_named = str(name).lower() in (*TEXT_NAMES, *CODE_NAMES)
    letters = 0.1 if is_named else 0.4
    prose = sum(1 for text in texts if sum(map(str.isalpha, text)) > letters * len(text) and not _PLACE.match(text))
    distinct = is_named or len(set(texts)) > 1 or len(texts) == 1
    return sum(map(len, texts)) / len(texts) if prose > 0.5 * len(texts) and distinct else None


def _is_label(value: Any) -> bool:
    return isinstance(value, str | int | bool)


def _is_short_text(value: Any) -> bool:
    text = text_of(value)
    return text is not None and len(text) < 2000


def _named(rest: list[str], wanted: tuple[str, ...], values: dict[str, list[Any]], fits: Any) -> str | None:
    for name in wanted:
        for column in rest:
            if str(column).lower() == name and values[column] and fits(values[column][0]):
                return column
    return None
