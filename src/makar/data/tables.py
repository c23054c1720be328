"""Rows of tables as dictionaries, streaming: csv, tsv, JSON lines, JSON, CoNLL, SMILES, FASTA and Parquet.

Parquet goes through pyarrow, the rest through the standard library, which forgives more. A row of CSV or JSON lines longer than
``LINE_LIMIT`` is passed over and said so; JSON files are read whole up to ``WHOLE_LIMIT_BYTES``.
"""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from typing import IO, Any

from makar.data.amino_acids import fasta_entries
from makar.data.document import Skip
from makar.data.entries import Entry
from makar.data.split_names import WORDS
from makar.data.text_stream import decoded, repaired
from makar.errors import DataError

LINE_LIMIT = 64_000_000
WHOLE_LIMIT_BYTES = 256 << 20
BATCH_ROWS = 64
BATCH_BYTES = 64 << 20
"""Of rows with large files in them fewer are held at once."""

DOCUMENT_START = "-DOCSTART-"
"""Word of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003) that stands before a document and is none."""


def seekable(entry: Entry) -> IO[bytes]:
    """Open an entry so that it can be read in any order; members of archives go through memory.

    Raises:
        DataError: A member of an archive is too long for that.
    """
    return entry.open() if entry.path is not None else io.BytesIO(entry.whole(limit_bytes=WHOLE_LIMIT_BYTES))


def rows(entry: Entry, skip: Skip, *, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table.

    Args:
        entry: The file.
        skip: Told about rows that cannot be read.
        columns: Columns to read where the format allows to leave others out.

    Raises:
        DataError: The file as a whole cannot be read.
    """
    form = entry.kind.form
    if form == "parquet":
        yield from _parquet_rows(entry, columns)
        return
    if form == "json":
        yield from _json_rows(entry)
        return
    with entry.open() as stream:
        lines = _lines(decoded(stream), entry.name, skip)
        if form == "conll":
            yield from _conll_rows(lines)
        elif form == "smi":
            yield from _smiles_rows(lines)
        elif form == "fasta":
            yield from ({"sequence": sequence, "name": name} for name, sequence in fasta_entries(lines))
        elif form == "jsonl":
            yield from _json_lines(lines, entry.name, skip)
        else:
            yield from _csv_rows(lines, form, entry.name, skip)


def parquet_label_names(entry: Entry, column: str | None) -> list[str] | None:
    """Return the names of numbered classes from the file's own metadata (``label_names`` or the Hugging Face features)."""
    import pyarrow.parquet

    try:
        with seekable(entry) as stream:
            metadata = pyarrow.parquet.read_schema(stream).metadata or {}
        if b"label_names" in metadata:
            return [repaired(str(name)) for name in json.loads(metadata[b"label_names"])]
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        names = features.get(column, {}).get("names") if isinstance(features, dict) else None
        return [repaired(str(name)) for name in names] if isinstance(names, list) else None
    except (ValueError, OSError, AttributeError, pyarrow.ArrowException):
        return None


def _parquet_rows(entry: Entry, columns: list[str] | None) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    with seekable(entry) as stream:
        try:
            # Without buffering ahead a row group of any size is read page by page.
            file = pyarrow.parquet.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
            for batch in file.iter_batches(batch_size=_batch_rows(file.metadata), columns=columns, use_threads=False):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise DataError(f"damaged Parquet file: {str(error)[:160]}") from error


def _batch_rows(metadata: Any) -> int:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    heaviest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=1.0)
    return round(min(BATCH_ROWS, max(1.0, BATCH_BYTES / max(1.0, heaviest))))


def _json_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    content = entry.whole(limit_bytes=WHOLE_LIMIT_BYTES)
    text = "".join(decoded(io.BytesIO(content)))
    try:
        value = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {str(error)[:120]}") from error
    if isinstance(value, dict):
        split_keys = {key: WORDS[key.lower()] for key in value if key.lower() in WORDS and isinstance(value[key], list)}
        lists = [key for key, item in value.items() if isinstance(item, list)]
        if split_keys:
            for key in split_keys:
                for item in value[key]:
                    yield {**(item if isinstance(item, dict) else {"text": item}), "split": key}
            return
        if lists and len(lists) == len(value) and len({len(value[key]) for key in lists}) == 1:
            for items in zip(*(value[key] for key in lists)):
                yield dict(zip(lists, items))
            return
        # One list under one name ({"data": [...]}) is a table with a wrapping.
        value = value[lists[0]] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise DataError("JSON without a list of rows")
    for item in value:
        yield item if isinstance(item, dict) else {"text": item}


def _json_lines(lines: Iterator[str], name: str, skip: Skip) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = _parsed(line)
        except (ValueError, RecursionError):
            skip(f"{name}#{number}", "a line that is not valid JSON")
            continue
        yield value if isinstance(value, dict) else {"text": value}


def _parsed(text: str) -> Any:
    """Parse JSON; half of a character that only an escape can write (``"\\ud83d"`` alone) is replaced, for no file can hold it."""
    value = json.loads(text)
    if "\\ud" in text or "\\uD" in text:
        written = json.dumps(value, ensure_ascii=False)
        if repaired(written) != written:
            return json.loads(repaired(written))
    return value


def _csv_rows(lines: Iterator[str], form: str, name: str, skip: Skip) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(LINE_LIMIT)
    first = next(lines, None)
    if first is None:
        return
    delimiter = "\t" if form == "tsv" else max(",;\t|", key=lambda mark: (first.count(mark), mark == ","))
    reader = csv.reader(_chained(first, lines), delimiter=delimiter, strict=False)
    header: list[str] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            skip(f"{name}#{reader.line_num}", f"a row that cannot be read: {error}")
            continue
        if header is None:
            header = [column.strip() or f"column_{place}" for place, column in enumerate(row)]
        elif any(cell.strip() for cell in row[len(header) :]):
            # A text with a mark in it that nobody quoted would else become a shorter text and a label that is none.
            skip(
                f"{name}#{reader.line_num}",
                f"a row of {len(row)} cells under {len(header)} names: quote what holds commas",
            )
        elif row:
            yield dict(zip(header, row))


def _conll_rows(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield one row a sentence: a word a line in the first column, its tag in the last, sentences apart by an empty line."""
    tokens: list[str] = []
    tags: list[str] = []
    for line in itertools.chain(lines, [""]):
        cells = line.split()
        if cells and not (cells[0] == DOCUMENT_START or (line.startswith("#") and len(cells) != 2)):
            tokens.append(cells[0])
            tags.append(cells[-1] if len(cells) > 1 else "O")
        elif tokens and not cells:
            yield {"tokens": tokens, "tags": tags}
            tokens, tags = [], []


def _smiles_rows(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield one row a line of the usual form of lists of molecules: SMILES, and a name after a space or tab."""
    for line in lines:
        smiles, _, name = line.strip().replace("\t", " ").partition(" ")
        if smiles and smiles.lower() not in ("smiles", "canonical_smiles"):
            yield {"smiles": smiles, "name": name.strip()}


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _lines(chunks: Iterator[str], name: str, skip: Skip) -> Iterator[str]:
    """Lines with their ends; a line beyond the limit is passed over without being held."""
    pending: list[str] = []
    length, number = 0, 1
    for chunk in chunks:
        start = 0
        while True:
            end = chunk.find("\n", start)
            if end < 0:
                break
            if length >= 0 and length + end - start <= LINE_LIMIT:
                yield "".join((*pending, chunk[start : end + 1])) if pending else chunk[start : end + 1]
            else:
                skip(f"{name}#{number}", "a line beyond 64 million characters")
            pending, length, number, start = [], 0, number + 1, end + 1
        if length >= 0:
            pending.append(chunk[start:])
            length += len(chunk) - start
            if length > LINE_LIMIT:
                pending, length = [], -1
    if length > 0:
        yield "".join(pending)
    elif length < 0:
        skip(f"{name}#{number}", "a line beyond 64 million characters")
