"""Where the lines of Python source end, and what kind of token its last characters are; an unfinished source is no error here.

Source: The Python Language Reference, chapter 2 (lexical analysis), of Python 3.11: in a string a replacement field of an f-string holds no
quote like its own.
"""

import dataclasses
import re

_TOKEN = re.compile(
    r"""(?P<newline>\r\n?|\n)
    |(?P<space>[ \t\f]+)
    |(?P<comment>\#[^\r\n]*)
    |(?P<joined>\\(?:\r\n?|\n))
    |(?P<string>(?i:rb|br|rf|fr|r|b|u|f)?(?:'''|\"\"\"|'|"))
    |(?P<number>0[xX][0-9a-fA-F_]*|0[bB][01_]*|0[oO][0-7_]*
        |(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE](?:[-+]?\d[\d_]*|[-+]?\Z))?[jJ]?)
    |(?P<name>[^\W\d]\w*)
    |(?P<operator>\*\*=?|//=?|>>=?|<<=?|->|\.{1,3}|[-+*/%@&|^=<>!:]=?|[~,;()\[\]{}])""",
    re.VERBOSE,
)
_BODIES = {
    "'": re.compile(r"(?:[^\\\r\n']|\\(?:\r\n|.))*", re.DOTALL),
    '"': re.compile(r'(?:[^\\\r\n"]|\\(?:\r\n|.))*', re.DOTALL),
    "'''": re.compile(r"(?:[^\\']|\\.|'(?!''))*", re.DOTALL),
    '"""': re.compile(r'(?:[^\\"]|\\.|"(?!""))*', re.DOTALL),
}
"""What a string holds up to its closing quote, which stands there or not."""

OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scan:
    """What a text ends in.

    Attributes:
        lines: Beginning and end of each whole logical line, in characters; blank lines and those of a comment alone are none.
        start: Where the line in progress begins.
        kind: ``"fresh"`` where that line holds no code yet, ``"name"``, ``"number"``, ``"operator"``, ``"string"``, ``"comment"`` or
            ``"backslash"`` for what is in progress, ``"between"`` tokens, and ``"wrong"`` for what no Python has.
        at: Where the token in progress begins; of a ``"fresh"`` line, where it begins.
        quote: Prefix and quote of the string in progress.
        brackets: Those that would close the open ones, the innermost first.
        strings: Where the strings begin that stand side by side at the end, ``None`` where it ends in none.
    """

    lines: tuple[tuple[int, int], ...]
    start: int
    kind: str
    at: int
    quote: str = ""
    brackets: tuple[str, ...] = ()
    strings: int | None = None


def string_end(text: str, start: int, quote: str) -> int | None:
    """Return where a string ends, behind its closing quote; ``None`` where it is open up to the end, -1 where a line ends in it.

    Args:
        text: The text.
        start: Where its body begins.
        quote: The quote without prefix.
    """
    match = _BODIES[quote].match(text, start)
    end = start if match is None else match.end()
    if text.startswith(quote, end):
        return end + len(quote)
    # One backslash, or two of three quotes, may stand at the end of what is not finished.
    rest = text[end:]
    if rest in ("", "\\") or (len(quote) == 3 and quote.startswith(rest)):
        return None
    # Only three quotes go on.
    return -1


def scan(text: str) -> Scan:
    """Return what a text ends in; it begins with a logical line."""
    lines: list[tuple[int, int]] = []
    closing: list[str] = []
    place = start = at = 0
    kind, quote, has_code = "fresh", "", False
    strings: int | None = None
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            is_joining = text[place] == "\\" and place == len(text) - 1
            kind, at = "backslash" if is_joining else "wrong", place
            break
        kind, at, place = match.lastgroup or "", place, match.end()
        if kind == "newline" and not closing:
            if has_code:
                lines.append((start, place))
            start = at = place
            kind, has_code, strings = "fresh", False, None
        elif kind in ("space", "joined") and not has_code:
            kind, at = "fresh", start
        elif kind == "comment":
            if not has_code:
                kind, at = "fresh", start
        elif kind in ("newline", "space", "joined"):
            kind = "between"
        elif kind == "string":
            has_code, quote = True, match.group()
            strings = at if strings is None else strings
            end = string_end(text, place, quote.lstrip("bBfFrRuU"))
            if end is None or end < 0:
                kind = "string" if end is None else "wrong"
                break
            kind, place = "between", end
        else:
            has_code, strings = True, None
            if (mark := match.group()) in OPENING:
                closing.append(OPENING[mark])
            elif closing and mark in (")", "]", "}"):
                closing.pop()
    return Scan(
        lines=tuple(lines), start=start, kind=kind, at=at, quote=quote, brackets=tuple(closing[::-1]), strings=strings
    )
