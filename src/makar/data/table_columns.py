"""Which column of a table holds the content, and which the caption, label, split, licence and consent.

Content: a column of SMILES, of amino acids or of rows of pitches; a column of encoded images; else a column called text, content and so
    on; else, in a table of code, ``code``; else the column with the longest strings. Numbers, dates, paths and short words are no text:
    a table with nothing else is refused and its columns listed. Where there are exactly two columns of images, a row is a pair. The
    choice is made from the first rows and reported.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from makar.data.sequence_columns import column_problem, molecule_column, music_column, number_columns, protein_column
from makar.data.sniffing import sniff
from makar.data.task_columns import REWRITE, TaskColumns, chosen_by_hand, find_task
from makar.errors import DataError

SAMPLE_ROWS = 100
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
IMAGE_NAMES = ("image", "img", "photo", "picture", "pixels")
CAPTION_NAMES = ("caption", "captions", "text", "description", "title", "name", "prompt", "alt", "alt_text")
LABEL_NAMES = (
    "label_name", "label", "labels", "class", "class_name", "category", "fine_label", "coarse_label", "digit", "emotion", "group",
    "style",
)  # fmt: skip
SPLIT_NAMES = ("split", "partition", "subset")
LICENCE_NAMES = ("licence", "license", "licences", "licenses", "spdx", "rights")
MEAN_TEXT_CHARACTERS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns:
    """The part that each column plays; ``medium`` is that of the content, ``candidates`` could be the content instead.

    ``pair`` is the other one of two columns of images; ``task`` is what a table of text is labelled for; ``properties`` are the columns of
    numbers beside molecules.
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
        rows: The rows; at most ``SAMPLE_ROWS`` are taken.
        medium: Prefer the content of this medium where there is a choice.
        by_hand: Columns of the roles of a task, where somebody named them.

    Raises:
        UsageError: Those roles are of no task.
        UnknownNameError: There is no such column or role.
        DataError: No column holds content; the columns are listed.
    """
    sample = list(islice(rows, SAMPLE_ROWS))
    if not sample:
        raise DataError("a table without rows")
    names = list(dict.fromkeys(name for row in sample for name in row))
    values = {name: [row[name] for row in sample if row.get(name) not in (None, "")] for name in names}
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
    if found != "image" or content is None:
        task = chosen_by_hand(by_hand, names) if by_hand else find_task(values)
    if task is not None:
        # A text to be made into code is code, whatever else the row holds.
        is_code = task.task == REWRITE and str(task.roles["target"]).lower() in CODE_NAMES and medium != "text"
        content = content or next(iter(task.roles.values()))
        content, found = (task.roles["target"], "code") if is_code else (content, "text" if medium is None else found)
    if content is None and (problem := column_problem(values)):
        raise DataError(problem, expected="a molecule (SMILES) or a protein a row")
    if content is None:
        raise DataError(
            f"a table without a text column; its columns are: {', '.join(map(str, names))}",
            expected="a column of text (called text, content ...) or of images",
            do="rename the column that holds the text to text",
        )
    rest = [name for name in names if name != content]
    images = [name for name in rest if values[name] and _is_image(values[name][0])] if found == "image" else []
    chosen = Columns(
        medium=found,
        content=content,
        available=tuple(names),
        candidates=candidates,
        pair=images[0] if len(images) == 1 else None,
        caption=_named(rest, CAPTION_NAMES, values, _is_short_text) if found == "image" else None,
        label=_named(rest, LABEL_NAMES, values, _is_label),
        language=_named(rest, ("language", "lang"), values, _is_label),
        task=task,
    )
    return _about(chosen, values)


def _about(columns: Columns, values: dict[str, list[Any]]) -> Columns:
    """Return columns with those of what is known of any row: its part, its licence, the consent."""
    rest = [name for name in columns.available if name != columns.content]
    return dataclasses.replace(
        columns,
        split=_named(rest, SPLIT_NAMES, values, _is_label),
        licence=_named(rest, LICENCE_NAMES, values, _is_label),
        consent=_named(rest, ("consent",), values, _is_label),
    )


def image_bytes(value: Any) -> bytes | None:
    """Return the encoded image in a cell (bytes, or the Hugging Face pair of bytes and path), ``None`` when there is none."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes) and value else None


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
    images = [name for name, cells in values.items() if cells and _is_image(cells[0])]
    if images and medium in (None, "image"):
        named = [name for name in IMAGE_NAMES if name in images]
        return (named or images)[0], "image", ()
    texts = {name: length for name, cells in values.items() if (length := _text_length(name, cells)) is not None}
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


def _is_image(value: Any) -> bool:
    content = image_bytes(value)
    return content is not None and sniff("", content[:64]).group == "image"


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
