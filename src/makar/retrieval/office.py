"""The text of Word, PowerPoint and Excel files as Markdown, read from the XML inside with nothing but the standard library.

What is needed is little: paragraphs with the level of their headings, slides, rows. The formats are ECMA-376: a zip archive of XML. The
size of a member is checked before it is unpacked and again while it is, document types are refused (so no entities can expand), and
nothing is followed: no links, no embedded files, no macros.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from makar.errors import DataError

OFFICE = frozenset(("docx", "pptx", "xlsx"))
MEMBER_LIMIT_BYTES = 64 << 20
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LEVEL = re.compile(r"(?:heading|überschrift|titre|título)\s*(\d)", re.IGNORECASE)


def office_markdown(content: bytes, *, form: str) -> str:
    """Return the text of a file with its headings, slides or sheets as Markdown headings.

    Args:
        content: The file.
        form: ``"docx"``, ``"pptx"`` or ``"xlsx"``.

    Raises:
        DataError: It is damaged, encrypted, or unpacks too far.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            lines = {"docx": _word, "pptx": _slides, "xlsx": _sheets}[form](archive)
            return "\n\n".join(lines)
    except DataError:
        raise
    except Exception as error:  # damaged archives and trees raise any kind of exception, of zlib and of codecs among them
        raise DataError(f"a damaged or encrypted .{form}: {error}") from error


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
    body = _tree(archive, "word/document.xml")
    in_tables = {paragraph for table in body.iter(f"{WORD}tbl") for paragraph in table.iter(f"{WORD}p")}
    for element in body.iter():
        if element.tag == f"{WORD}p" and element not in in_tables:
            text = _joined(element, f"{WORD}t").strip()
            if text:
                yield "#" * _level(element) + " " * bool(_level(element)) + text
        elif element.tag == f"{WORD}tbl":
            for row in element.iter(f"{WORD}tr"):
                yield " | ".join(_joined(cell, f"{WORD}t").strip() for cell in row.iter(f"{WORD}tc"))


def _level(paragraph: ElementTree.Element) -> int:
    style = paragraph.find(f"{WORD}pPr/{WORD}pStyle")
    name = "" if style is None else style.get(f"{WORD}val", "")
    found = _LEVEL.search(name)
    return min(6, int(found[1])) if found else int(name.lower() == "title")


def _slides(archive: zipfile.ZipFile) -> Iterator[str]:
    for number, name in enumerate(_numbered(archive, r"ppt/slides/slide(\d+)\.xml"), 1):
        lines = [_joined(line, f"{DRAWING}t").strip() for line in _tree(archive, name).iter(f"{DRAWING}p")]
        found = [line for line in lines if line]
        if found:
            yield f"# Slide {number}: {found[0]}"
            yield "\n".join(found)


def _sheets(archive: zipfile.ZipFile) -> Iterator[str]:
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        items = _tree(archive, "xl/sharedStrings.xml").iter(f"{SHEET}si")
        shared = [_joined(item, f"{SHEET}t") for item in items]
    names = [sheet.get("name", "") for sheet in _tree(archive, "xl/workbook.xml").iter(f"{SHEET}sheet")]
    for number, name in enumerate(_numbered(archive, r"xl/worksheets/sheet(\d+)\.xml")):
        yield f"# {names[number] if number < len(names) else name}"
        for row in _tree(archive, name).iter(f"{SHEET}row"):
            cells = [_cell(cell, shared) for cell in row.iter(f"{SHEET}c")]
            if any(cells):
                yield " | ".join(cells)


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _joined(cell, f"{SHEET}t")
    value = cell.findtext(f"{SHEET}v") or ""
    if cell.get("t") == "s" and value.isdecimal() and int(value) < len(shared):
        return shared[int(value)]
    return value


def _numbered(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    found = [(int(match[1]), name) for name in archive.namelist() if (match := re.fullmatch(pattern, name))]
    return [name for _, name in sorted(found)]


def _joined(element: ElementTree.Element, tag: str) -> str:
    return "".join(part.text or "" for part in element.iter(tag))
