"""The text of Word, PowerPoint and Excel files as Markdown, read from the XML inside with nothing but the standard library.

What is needed is little: paragraphs with the level of their headings, slides, rows. The formats are ECMA-376: a zip archive of XML. The
size of a member is checked before it is unpacked and again while it is, the text is counted while it is made, document types are refused
(so no entities can expand), and nothing is followed: no links, no embedded files, no macros.
"""

import datetime
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree

from makar.errors import DataError

OFFICE = frozenset(("docx", "pptx", "xlsx"))
MEMBER_LIMIT_BYTES = 64 << 20
LIMIT_CHARACTERS = 20_000_000
"""Of one document."""

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
BREAKS = {f"{WORD}tab": "\t", f"{WORD}br": "\n", f"{WORD}cr": "\n", f"{DRAWING}br": "\n"}
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(ElementTree.ParseError, LookupError, ValueError, OverflowError, RuntimeError),
)
"""What damaged documents raise: no archive, no XML, a part that is absent, no number; an encrypted one is a RuntimeError."""

_LEVEL = re.compile(r"(?:heading|ü?berschrift|titre|t[íi]?tulo)\s*(\d)", re.IGNORECASE)
DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Numbers of the formats of dates and times that every Excel has."""

_NO_PART_OF_A_DATE = re.compile(r'"[^"]*"|[\\_*].|\[[^\]]*\]')
_COLUMN = re.compile(r"[A-Z]{1,3}")


def office_markdown(content: bytes, *, form: str) -> str:
    """Return the text of a file with its headings, slides or sheets as Markdown headings.

    Args:
        content: The file.
        form: ``"docx"``, ``"pptx"`` or ``"xlsx"``.

    Raises:
        DataError: It is damaged, encrypted, or unpacks too far.
    """
    pieces: list[str] = []
    held = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for piece in {"docx": _word, "pptx": _slides, "xlsx": _sheets}[form](archive):
                held += len(piece)
                _check_length(held)
                pieces.append(piece)
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(f"a damaged or encrypted .{form}: {error}") from error
    return "\n\n".join(pieces)


def _check_length(characters: int) -> None:
    if characters > LIMIT_CHARACTERS:
        raise DataError(f"more than {LIMIT_CHARACTERS:,} characters in one document")


def _tree(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > MEMBER_LIMIT_BYTES:
        raise DataError(f"{name} unpacks to more than {MEMBER_LIMIT_BYTES >> 20} MB")
    with archive.open(name) as member:
        content = member.read(MEMBER_LIMIT_BYTES + 1)
    if len(content) > MEMBER_LIMIT_BYTES:
        raise DataError(f"{name} unpacks to more than {MEMBER_LIMIT_BYTES >> 20} MB")
    if b"<!DOCTYPE" in content:
        raise DataError(f"{name} declares a document type, which office programs never write")
    return ElementTree.fromstring(content)


def _word(archive: zipfile.ZipFile) -> Iterator[str]:
    levels = _levels(archive)
    body = _tree(archive, "word/document.xml")
    in_tables = {paragraph for table in body.iter(f"{WORD}tbl") for paragraph in table.iter(f"{WORD}p")}
    for element in body.iter():
        if element.tag == f"{WORD}p" and element not in in_tables:
            text, level = _joined(element, f"{WORD}t").strip(), _level(element, levels)
            if text:
                yield f"{'#' * level} {' '.join(text.split())}" if level else text
        elif element.tag == f"{WORD}tbl":
            for row in element.iter(f"{WORD}tr"):
                yield " | ".join(" ".join(_joined(cell, f"{WORD}t").split()) for cell in row.iter(f"{WORD}tc"))


def _levels(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the level of headings of every style that says one; ids are in the language of Word, names and levels are not."""
    if "word/styles.xml" not in archive.namelist():
        return {}
    levels: dict[str, int] = {}
    for style in _tree(archive, "word/styles.xml").iter(f"{WORD}style"):
        outline = style.find(f"{WORD}pPr/{WORD}outlineLvl")
        name = style.find(f"{WORD}name")
        called = "" if name is None else name.get(f"{WORD}val", "").lower()
        named = re.fullmatch(r"heading (\d)", called)
        if outline is not None:
            # The tenth is that of ordinary text.
            levels[style.get(f"{WORD}styleId", "")] = (int(outline.get(f"{WORD}val", "9")) + 1) % 10
        elif named or called == "title":
            levels[style.get(f"{WORD}styleId", "")] = int(named[1]) if named else 1
    return levels


def _level(paragraph: ElementTree.Element, levels: dict[str, int]) -> int:
    style = paragraph.find(f"{WORD}pPr/{WORD}pStyle")
    name = "" if style is None else style.get(f"{WORD}val", "")
    found = _LEVEL.search(name)
    return min(6, levels.get(name, int(found[1]) if found else int(name.lower() == "title")))


def _slides(archive: zipfile.ZipFile) -> Iterator[str]:
    for number, name in enumerate(_numbered(archive, r"ppt/slides/slide(\d+)\.xml"), 1):
        lines = [_joined(line, f"{DRAWING}t").strip() for line in _tree(archive, name).iter(f"{DRAWING}p")]
        found = [line for line in lines if line]
        if found:
            yield f"# Slide {number}: {' '.join(found[0].split())}"
            yield "\n".join(found)


def _sheets(archive: zipfile.ZipFile) -> Iterator[str]:
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        shared = [_string(item) for item in _tree(archive, "xl/sharedStrings.xml").iter(f"{SHEET}si")]
    workbook = _tree(archive, "xl/workbook.xml")
    names = [sheet.get("name", "") for sheet in workbook.iter(f"{SHEET}sheet")]
    settings = workbook.find(f"{SHEET}workbookPr")
    is_late = settings is not None and settings.get("date1904") in ("1", "true")
    first_day = datetime.datetime(1904, 1, 1) if is_late else datetime.datetime(1899, 12, 30)
    dates = _date_styles(archive)
    for number, name in enumerate(_numbered(archive, r"xl/worksheets/sheet(\d+)\.xml")):
        yield f"# {names[number] if number < len(names) else name}"
        for row in _tree(archive, name).iter(f"{SHEET}row"):
            cells: list[str] = []
            for cell in row.iter(f"{SHEET}c"):
                # A cell without content may be left out, and the next one says its column.
                cells += [""] * (_column(cell) - len(cells))
                cells.append(_cell(cell, shared, dates, first_day))
            # One long string may be named by any number of cells.
            _check_length(sum(map(len, cells)))
            if any(cells):
                yield " | ".join(cells)


def _date_styles(archive: zipfile.ZipFile) -> set[str]:
    """Return the numbers of the styles of cells whose values are shown as dates or times of day."""
    if "xl/styles.xml" not in archive.namelist():
        return set()
    styles = _tree(archive, "xl/styles.xml")
    own = {form.get("numFmtId"): form.get("formatCode", "") for form in styles.iter(f"{SHEET}numFmt")}
    formats = [cell.get("numFmtId", "0") for cell in styles.findall(f"{SHEET}cellXfs/{SHEET}xf")]
    return {str(at) for at, form in enumerate(formats) if int(form) in DATES or _is_date(own.get(form, ""))}


def _is_date(code: str) -> bool:
    # Of hours in brackets there can be more than a day has.
    return "[h" not in code.lower() and re.search("[dmyhs]", _NO_PART_OF_A_DATE.sub("", code.lower())) is not None


def _column(cell: ElementTree.Element) -> int:
    """Return the number of the column of a cell from 0 on, 0 where it does not say it."""
    found = _COLUMN.match(cell.get("r", ""))
    number = 0
    for letter in found[0] if found else "":
        number = 26 * number + ord(letter) - ord("A") + 1
    return max(0, number - 1)


def _cell(cell: ElementTree.Element, shared: list[str], dates: set[str], first_day: datetime.datetime) -> str:
    kind, value = cell.get("t", "n"), cell.findtext(f"{SHEET}v") or ""
    if kind == "inlineStr":
        return "".join(map(_string, cell.findall(f"{SHEET}is")))
    if kind == "s" and value.isdecimal() and int(value) < len(shared):
        return shared[int(value)]
    return _moment(value, first_day) if kind == "n" and cell.get("s") in dates else value


def _moment(value: str, first_day: datetime.datetime) -> str:
    """Return a number of days as date and time; as it is written where it is none."""
    try:
        days = float(value)
        if days < 0:
            return value
        moment = first_day + datetime.timedelta(seconds=round(days * 86400))
    except (ValueError, OverflowError):
        return value
    if days < 1:
        return str(moment.time())
    return str(moment.date() if days.is_integer() else moment)


def _string(item: ElementTree.Element) -> str:
    """Return the text of a string without the readings that Japanese ones carry."""
    return "".join(part.text or "" for part in (*item.findall(f"{SHEET}t"), *item.findall(f"{SHEET}r/{SHEET}t")))


def _numbered(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    found = [(int(match[1]), name) for name in archive.namelist() if (match := re.fullmatch(pattern, name))]
    return [name for _, name in sorted(found)]


def _joined(element: ElementTree.Element, tag: str) -> str:
    """Return the text of an element; tabs, breaks and the ends of paragraphs inside are white space."""
    pieces = []
    for part in element.iter():
        if part.tag == tag:
            pieces.append(part.text or "")
        elif part.tag in BREAKS:
            pieces.append(BREAKS[part.tag])
        elif part.tag == f"{WORD}p" and part is not element:
            pieces.append("\n")
    return "".join(pieces)
