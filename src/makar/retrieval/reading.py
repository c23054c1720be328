"""What a document says, as one text with its headings and pages in their places: the form in which documents are indexed.

The sections of a reading follow each other and hold all of the text. Markdown has its headings (fenced code has none), HTML becomes
Markdown first, code has its definitions (Python by its syntax tree, other languages by lines that begin at the margin), tables their
rows as ``column: value``, PDF its pages. Offsets are those of the text that is kept, so that a citation can show the very words.
"""

import ast
import dataclasses
import io
import itertools
import json
import re
from collections.abc import Iterator

from makar.data.document import Skip
from makar.data.entries import Entry
from makar.data.html_text import html_text
from makar.data.sniffing import suffix_of
from makar.data.tables import rows
from makar.data.text_stream import decoded, repaired
from makar.errors import DataError
from makar.retrieval.office import LIMIT_CHARACTERS, OFFICE, office_markdown
from makar.retrieval.pages import pdf_pages

LIMIT_BYTES = 64 << 20
"""Of one file."""

BETWEEN = " > "
_ATX = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_RULE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_DEFINITION = re.compile(
    r"^(?:export\s+|pub(?:\([a-z]+\))?\s+|static\s+|async\s+|public\s+|private\s+|abstract\s+|final\s+)*"
    r"(?:function|class|interface|struct|enum|trait|impl|fn|func|def|module|namespace|type|proc|sub|object)\b[^\n{;]*",
    re.MULTILINE | re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A stretch of a text under one heading, or on one page.

    Attributes:
        start: First character.
        end: Behind the last character.
        heading: Headings above it from the outermost on; a definition's name in code; empty where there is none.
        page: Number of the page from 1 on; ``None`` where there are no pages.
    """

    start: int
    end: int
    heading: str = ""
    page: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A document as text.

    Attributes:
        text: All of it.
        sections: Stretches that follow each other and hold all of the text.
    """

    text: str
    sections: tuple[Section, ...]


def read_entry(entry: Entry, skip: Skip) -> Reading:
    """Read a file.

    Args:
        entry: The file.
        skip: Told about rows that cannot be read.

    Raises:
        DataError: It is of a kind that holds no text, is damaged, encrypted, or too long; the message says which.
    """
    kind, suffix = entry.kind, suffix_of(entry.name)
    if entry.head[:5] == b"%PDF-" or suffix == "pdf":
        return _of_pages(pdf_pages(entry.whole(limit_bytes=LIMIT_BYTES)))
    if suffix in OFFICE and entry.head[:2] == b"PK":
        return of_markdown(_kept(office_markdown(entry.whole(limit_bytes=LIMIT_BYTES), form=suffix)))
    if kind.group == "table":
        return _of_rows(rows(entry, skip))
    if kind.group not in ("text", "code"):
        raise DataError(kind.form if kind.group == "unread" else f"{kind.group}: no text")
    text = _kept("".join(decoded(io.BytesIO(entry.whole(limit_bytes=LIMIT_BYTES)))))
    if kind.form == "html":
        return of_markdown(html_text(text, with_headings=True))
    if kind.group == "code":
        return of_code(text, language=kind.form)
    return of_text(text) if kind.form in ("txt", "rst", "tex") else of_markdown(text)


def of_text(text: str) -> Reading:
    """Return a plain text as one section."""
    text = repaired(text)
    return Reading(text=text, sections=(Section(start=0, end=len(text)),) if text else ())


def of_markdown(text: str) -> Reading:
    """Return a text with a section for every heading, written with # or underlined.

    >>> [section.heading for section in of_markdown("# A\\nx\\n## B\\ny").sections]
    ['A', 'A > B']
    """
    text = repaired(text)
    places: list[tuple[int, str]] = [(0, "")]
    above: list[tuple[int, str]] = []
    position, fence, previous, previous_at = 0, "", "", 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        found = _FENCE.match(bare)
        if found:
            fence = "" if fence == found[1] else fence or found[1]
        heading = None if fence or found else _heading(bare, previous)
        if heading is not None:
            level, name, is_underlined = heading
            above = [*(entry for entry in above if entry[0] < level), (level, name)]
            path = BETWEEN.join(entry[1] for entry in above)
            places.append((previous_at if is_underlined else position, path))
        previous, previous_at = bare, position
        position += len(line)
    return Reading(text=text, sections=tuple(_between(places, len(text))))


def of_code(text: str, *, language: str) -> Reading:
    """Return source code with a section for every definition at its top, and for every method in Python.

    Args:
        text: The code.
        language: As ``makar.data.code_languages`` names it.
    """
    text = repaired(text)
    places = _python_places(text) if language == "python" else None
    if places is None:
        places = [(match.start(), match[0].strip()[:100]) for match in _DEFINITION.finditer(text)]
    return Reading(text=text, sections=tuple(_between([(0, ""), *places], len(text))))


def _heading(line: str, previous: str) -> tuple[int, str, bool] | None:
    """Return level and name of a heading and whether the line only underlines the one before."""
    found = _ATX.match(line)
    if found:
        return len(found[1]), found[2], False
    under = _RULE.match(line)
    if (
        under
        and previous.strip()
        and not _ATX.match(previous)
        and not previous.lstrip().startswith(("-", "*", ">", "|"))
    ):
        return (1 if under[1][0] == "=" else 2), previous.strip(), True
    return None


def _between(places: list[tuple[int, str]], end: int) -> Iterator[Section]:
    """Yield what lies between places, each under its name; of two at one place the later counts."""
    for (start, name), (following, _) in itertools.pairwise([*places, (end, "")]):
        if following > start:
            yield Section(start=start, end=following, heading=name)


def _python_places(text: str) -> list[tuple[int, str]] | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    # A syntax tree counts columns in bytes, but definitions begin their lines but for white space.
    starts = list(itertools.accumulate((len(line) for line in text.splitlines(keepends=True)), initial=0))
    found: list[tuple[int, str]] = []

    def visit(nodes: list[ast.stmt], above: str) -> None:
        for node in nodes:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                name = f"{above}.{node.name}" if above else node.name
                found.append((starts[first - 1], name))
                if isinstance(node, ast.ClassDef):
                    visit(node.body, name)

    # ``splitlines`` knows more line ends than Python does; where the two differ, lines say nothing.
    if len(starts) - 1 not in (text.count("\n"), text.count("\n") + 1):
        return None
    visit(tree.body, "")
    return found


def _of_rows(found: Iterator[dict[str, object]]) -> Reading:
    pieces = []
    for row in found:
        cells = [
            f"{name}: {_shown(value)}"
            for name, value in row.items()
            if value not in (None, "") and not _is_bytes(value)
        ]
        if cells:
            pieces.append("\n".join(cells))
    return of_text(_kept("\n\n".join(pieces)))


def _shown(value: object) -> str:
    # Nested values of Parquet may be times, which JSON does not know.
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes) or (isinstance(value, dict) and any(map(_is_bytes, value.values())))


def _of_pages(pages: list[str]) -> Reading:
    text, sections = "", []
    for number, page in enumerate(map(repaired, pages), 1):
        if page.strip():
            sections.append(Section(start=len(text), end=len(text) + len(page) + 2, page=number))
            text += page + "\n\n"
    return Reading(text=_kept(text), sections=tuple(sections))


def _kept(text: str) -> str:
    if len(text) > LIMIT_CHARACTERS:
        raise DataError(f"{len(text):,} characters, more than {LIMIT_CHARACTERS:,} in one document")
    return text
