"""Can a text be the beginning of Python source? The parser of Python itself says so; nothing is run.

``compile`` with the flag of ``codeop`` says "incomplete input" where it came to the end of a text without a mistake. In the middle of a
line the text is given to it with a backslash behind it, so that the line is not at its end either. The token in progress is judged as it
is, or as a longer one that begins with it: ``i`` as ``if``, ``!`` as ``!=``, ``0x`` as ``0x0``; a string is closed first.

Only what can still matter is kept of a source: of every block that is open its last statement, and where that has clauses
(``if``, ``elif``) those, without what stood in them. What the parser lets through and the compiler does not (``return`` outside of a
function, an argument twice) is not judged.
"""

import ast
import dataclasses
import keyword
import re
import threading
import warnings
from collections.abc import Iterator

from makar.generation.python_fields import closed_part
from makar.generation.python_scan import Scan, scan

_INCOMPLETE = ast.PyCF_ONLY_AST | 0x4000
"""PyCF_ALLOW_INCOMPLETE_INPUT of Python 3.11 and later."""

KEYWORDS = (*keyword.kwlist, *keyword.softkwlist)
_CLAUSES = frozenset({"elif", "else", "except", "finally", "case"})
_PREFIXES = ("r", "b", "u", "f", "rb", "br", "rf", "fr")
_OPERATORS = (
    "**", "**=", "*=", "//", "//=", "/=", ">>", ">>=", ">=", "<<", "<<=", "<=", "->", "...", "-=", "+=", "%=", "@=", "&=", "|=", "^=",
    "==", "!=", ":=",
)  # fmt: skip
_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:x[0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|N(?:\{[^}]*)?)?\Z")
_DIGITS = {"x": 2, "u": 4, "U": 8}
_INNER = re.compile(r"[\w ,.:;()-]*")
_IDLE = re.compile(r"(?:\A|\n)[ \t\f]*\\\Z")
_NOTHING = scan("")
_FIRST = re.compile(r"[ \t\f]*([^\W\d]\w*|.)", re.DOTALL)
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class _Line:
    """A whole logical line of a block that is open.

    Attributes:
        text: The line with its end.
        column: Of its first character.
        word: Its first word or sign.
    """

    text: str
    column: int
    word: str


@dataclasses.dataclass(frozen=True)
class PythonSource:
    """The beginning of a source: as much of it as can still matter.

    Attributes:
        kept: Lines of the blocks that are open.
        line: The logical line in progress.
        end: What that ends in.
    """

    kept: tuple[_Line, ...] = ()
    line: str = ""
    end: Scan = _NOTHING

    def read(self, text: str) -> "PythonSource | None":
        """Return the source with a text behind it, ``None`` where no Python begins so."""
        written = self.line + text
        if self._takes_anything and _INNER.fullmatch(text):
            return dataclasses.replace(self, line=written)
        found = scan(written)
        before = "".join(line.text for line in self.kept)
        if not any(_is_viable(one) for one in _readings(before, written, found)):
            return None
        kept = self.kept
        for start, end in found.lines:
            kept = _with_line(kept, written[start:end])
        last = dataclasses.replace(
            found,
            lines=(),
            start=0,
            at=found.at - found.start,
            strings=None if found.strings is None else found.strings - found.start,
        )
        return PythonSource(kept, written[found.start :], last)

    @property
    def _takes_anything(self) -> bool:
        """Whether letters, digits and spaces can follow whatever they are: in a comment, and in a string without fields and escapes."""
        is_plain = self.end.kind != "string" or not set(self.end.quote) & set("bBfF")
        return self.is_in_words and is_plain and (self.end.kind != "string" or _ESCAPE.search(self.line) is None)

    @property
    def text(self) -> str:
        """What is kept of it, which parses where the whole does."""
        return "".join(line.text for line in self.kept) + self.line

    @property
    def is_whole(self) -> bool:
        """Whether it may end here."""
        return is_python(self.text)

    @property
    def is_in_words(self) -> bool:
        """Whether it ends in a comment or in a string."""
        return self.end.kind in ("comment", "string") or (self.end.kind == "fresh" and bool(self.line.strip()))

    @property
    def is_meant(self) -> bool:
        """Whether people write so: white space only where a statement can follow, and no backslash on a line of its own."""
        if self.end.kind == "backslash" and _IDLE.search(self.line):
            return False
        if self.line.strip() or not self.line or (self.kept and _column(self.line) <= self.kept[-1].column):
            return True
        fresh = PythonSource(self.kept)
        return any(fresh.read(self.line + word) is not None for word in ("_", "case"))

    @property
    def indentations(self) -> list[str]:
        """White space before the lines of each open block, the outermost first."""
        return list(dict.fromkeys(line.text[: len(line.text) - len(line.text.lstrip(" \t\f"))] for line in self.kept))


def is_python(text: str) -> bool:
    """Return whether a text is Python source."""
    return _message(text, ast.PyCF_ONLY_AST) is None


def begins_python(text: str) -> bool:
    """Return whether a text can be the beginning of Python source.

    >>> begins_python("def f(x):\\n    retu"), begins_python("def f(x):\\n    retu x")
    (True, False)
    """
    return PythonSource().read(text) is not None


def _is_viable(text: str) -> bool:
    return _message(text, _INCOMPLETE) in (None, "incomplete input")


def _message(text: str, flags: int) -> str | None:
    try:
        # Somebody's wrong escape is no concern of ours; the filters of warnings belong to all threads.
        with _LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "", "exec", flags)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    return None


def _readings(before: str, written: str, found: Scan) -> Iterator[str]:
    """Yield texts for the parser, one of which is viable where the text is."""
    head = before + written[: found.at]
    token = written[found.at :]
    if found.kind == "fresh":
        yield head
    elif found.kind == "comment":
        yield head + "\n"
    elif found.kind == "string":
        closed = _closed_string(token, found.quote)
        if closed is not None and _are_strings(written[found.strings : found.at] + closed):
            yield _going_on(head + closed)
    elif found.kind == "backslash":
        yield _going_on(head)
    elif found.kind != "wrong" and (found.strings is None or _are_strings(written[found.strings :])):
        yield _going_on(head + token)
        longer = {"name": _longer_names, "number": _longer_numbers, "operator": _longer_operators}.get(found.kind)
        if longer is not None:
            yield from (_going_on(head + one) for one in longer(token))


def _are_strings(text: str) -> bool:
    # The parser reads what is in strings only when it has seen what stands behind them.
    return is_python(f"({text}\n)")


def _going_on(text: str) -> str:
    # The parser sees that a line goes on when it has to read on for its end.
    return text + " \\\n"


def _longer_names(name: str) -> Iterator[str]:
    if keyword.iskeyword(name):
        yield name + "_"
    yield from (word for word in KEYWORDS if word.startswith(name) and word != name)
    yield from (name + one[len(name) :] + '""' for one in _PREFIXES if one.startswith(name.lower()))


def _longer_numbers(number: str) -> Iterator[str]:
    yield from (number + "0", number + ".0")


def _longer_operators(operator: str) -> Iterator[str]:
    yield from (one for one in _OPERATORS if one.startswith(operator) and one != operator)
    if operator == ".":
        yield ".0"


def _closed_string(token: str, opening: str) -> str | None:
    prefix = opening.rstrip("'\"").lower()
    quote = opening[len(prefix) :]
    body: str | None = token[len(opening) :]
    assert body is not None
    if len(quote) == 3:
        # One or two of the three that close it may be there already.
        body = body[: len(body) - _trailing(body, quote[0])]
    if "f" in prefix:
        body = closed_part(body, is_raw="r" in prefix, begins=begins_python, is_whole=is_python)
        if body is None:
            return None
    if "r" in prefix:
        body += "\\" * (_trailing(body, "\\") % 2)
    elif (escape := _ESCAPE.search(body)) is not None:
        body = _whole_escape(body, escape)
    return opening + body + quote


def _whole_escape(body: str, escape: re.Match[str]) -> str:
    start = body.rindex("\\", escape.start())
    begun = body[start + 1 :]
    if begun[:1] in _DIGITS:
        return body + "0" * (1 + _DIGITS[begun[0]] - len(begun))
    return body[:start]


def _column(lead: str) -> int:
    # A form feed begins a line anew.
    return len(lead.rpartition("\f")[2].expandtabs(8))


def _trailing(text: str, letter: str) -> int:
    return len(text) - len(text.rstrip(letter))


def _with_line(kept: tuple[_Line, ...], text: str) -> tuple[_Line, ...]:
    """Return the lines that matter once a logical line has ended."""
    lead = text[: len(text) - len(text.lstrip(" \t\f"))]
    match = _FIRST.match(text)
    line = _Line(text, _column(lead), match.group(1) if match else "")
    lines = list(kept)
    has_body = False
    while lines and lines[-1].column > line.column:
        lines.pop()
        has_body = True
    if lines and lines[-1].column == line.column:
        if line.word not in _CLAUSES and lines[-1].word != "@":
            while lines and lines[-1].column == line.column:
                lines.pop()
        elif has_body:
            above = lines[-1]
            lines[-1] = dataclasses.replace(above, text=f"{above.text}{lead} pass\n")
    return (*lines, line)
