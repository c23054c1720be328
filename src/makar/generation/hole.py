"""A hole in a file of text: where it is, by a mark, by lines or by a span; no torch.

Lines and columns are counted from 1, as editors do; the end of a span is not part of it. A hole of whole lines takes the end of its last
line with it, so that before and after it stand whole lines.
"""

import dataclasses
import io
import re
from pathlib import Path

from makar.errors import DataError, UsageError

MARK = "<FILL_ME>"
"""Stands for the hole in a file that has one."""

SHORTEST_REPEATED = 3
"""Characters of a rest of a line below which its repetition says nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hole:
    """A hole.

    Attributes:
        before: The text before it.
        after: The text after it.
        removed: What stood there; empty for a mark.
        whole_lines: Whether it consists of whole lines.
    """

    before: str
    after: str
    removed: str = ""
    whole_lines: bool = False

    def trimmed(self, middle: str) -> str:
        """Return what belongs in the hole of what a model wrote: not what only repeats how the text goes on.

        A model that has not learned well where to end writes on into what comes after. Where it begins to repeat that, to the end of a
        line, the hole is full.
        """
        if self.whole_lines:
            line = next((line for line in lines_of(self.after) if line.strip()), "").rstrip("\r\n")
            found = re.search(rf"^{re.escape(line)}\r?$", middle, re.MULTILINE) if line else None
        else:
            line = lines_of(self.after)[0].rstrip("\r\n") if self.after else ""
            is_telling = len(line.strip()) >= SHORTEST_REPEATED
            found = re.search(rf"{re.escape(line)}\r?$", middle, re.MULTILINE) if is_telling else None
        return middle if found is None else middle[: found.start()]

    def filled(self, middle: str) -> str:
        """Return the whole text with something in the hole; whole lines stay whole."""
        if self.whole_lines and self.after and middle and not middle.endswith("\n"):
            middle += "\n"
        return self.before + middle + self.after


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends, as editors and Python count them.

    ``splitlines`` also ends a line at form feeds and other letters, so that its numbers are not those that a traceback names.

    >>> lines_of("one\\x0c\\r\\ntwo")
    ['one\\x0c\\r\\n', 'two']
    """
    return io.StringIO(text, newline="").readlines()


def read_source(path: str | Path) -> str:
    """Read a file of text.

    Raises:
        UsageError: There is no such file.
        DataError: It is not UTF-8.
    """
    place = Path(path)
    if not place.is_file():
        raise UsageError(f"there is no file {place}", expected="a file of text or code")
    try:
        with place.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise DataError(f"{place} is not UTF-8: {error}", do="convert it to UTF-8") from error


def find_hole(text: str, *, line: str | None = None, span: str | None = None) -> Hole:
    """Find the one hole that is asked for.

    Args:
        text: The whole file.
        line: ``"12"`` or ``"12-15"``; ``None`` where it is not given by lines.
        span: ``"LINE:COLUMN-LINE:COLUMN"``; ``None`` where it is not given so. Without either the text has a mark.

    Raises:
        UsageError: Two ways at once, no place or several, or one that is not there.
    """
    if line is not None and span is not None:
        raise UsageError("lines and a span", expected="one of them")
    if line is not None:
        first, last = _numbers(line, r"(\d+)(?:-(\d+))?", example="12 or 12-15")
        lines = lines_of(text)
        last = last or first
        if not 1 <= first <= last <= len(lines):
            raise UsageError(f"line {line} of a file with {len(lines)} lines", expected=f"1 to {len(lines)}")
        removed = "".join(lines[first - 1 : last])
        return Hole(before="".join(lines[: first - 1]), after="".join(lines[last:]), removed=removed, whole_lines=True)
    if span is not None:
        row, column, last_row, last_column = _numbers(span, r"(\d+):(\d+)-(\d+):(\d+)", example="3:5-3:9")
        start, end = _offset(text, row, column), _offset(text, last_row, last_column)
        if start > end:
            raise UsageError(f"the span {span} ends before it begins", expected="LINE:COLUMN-LINE:COLUMN")
        return Hole(before=text[:start], after=text[end:], removed=text[start:end])
    found = text.count(MARK)
    if found != 1:
        raise UsageError(
            f"the file has {found or 'no'} {MARK}", expected=f"one {MARK}", do="put it in, or name --line or --span"
        )
    before, _, after = text.partition(MARK)
    return Hole(before=before, after=after)


def _numbers(text: str, pattern: str, *, example: str) -> list[int]:
    match = re.fullmatch(pattern, text.strip())
    if match is None:
        raise UsageError(f'"{text}" is no place in a file', expected=f"for example {example}")
    return [int(part) if part else 0 for part in match.groups()]


def _offset(text: str, row: int, column: int) -> int:
    lines = lines_of(text)
    if not 1 <= row <= len(lines) or not 1 <= column <= len(lines[row - 1]) + 1:
        raise UsageError(
            f"line {row}, column {column} is not in the file", expected=f"lines 1 to {len(lines)}, columns of that line"
        )
    return sum(map(len, lines[: row - 1])) + column - 1
