"""Small changes of a line of code that often repair it: another operator, another name, a number one off, a bracket more or less; no torch.

Source: Just et al. 2014, "The Major mutation framework", and Weimer et al. 2009, "Automatically finding patches using genetic
programming": faults that are planted, and patches that are found, are mostly of these kinds.
"""

import keyword
import re
from collections.abc import Iterator, Sequence

MOST = 60
MOST_NAMES = 8
_SWAPS = {
    "+": ("-",), "-": ("+",), "*": ("//", "/", "+"), "/": ("*", "//"), "//": ("/", "*", "%"), "%": ("//",),
    "<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",), "!=": ("==",),
    "=": ("==",), "+=": ("-=", "="), "-=": ("+=",), "and": ("or",), "or": ("and",), "True": ("False",), "False": ("True",),
    "is": ("is not",), "in": ("not in",), "not": ("",), "min": ("max",), "max": ("min",), "any": ("all",), "all": ("any",),
    "append": ("extend",), "extend": ("append",), "break": ("continue",), "continue": ("break",), ".": (",",), ",": (".",),
}  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|//|[<>=!+\-*/%]=|[-+*/%<>=.,()\[\]{}:]")
_KEYWORDS = frozenset(keyword.kwlist)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def line_edits(line: str, around: Sequence[str]) -> list[str]:
    """Return changed copies of a line, each once, at most sixty.

    Args:
        line: The line with its end.
        around: Lines near it, whose names may be meant instead.
    """
    body = line.rstrip("\r\n")
    end = line[len(body) :]
    found = dict.fromkeys(
        changed + end for changed in _changes(body, _names(around)) if changed.strip() and changed != body
    )
    return list(found)[:MOST]


def _changes(body: str, names: list[str]) -> Iterator[str]:
    yield from _balanced(body)
    for match in _TOKEN.finditer(body):
        word = match.group()
        before, after = body[: match.start()], body[match.end() :]
        for other in _SWAPS.get(word, ()):
            yield before + other + (after if other else after.lstrip())
        if word.isdigit():
            yield f"{before}{int(word) + 1}{after}"
            if int(word):
                yield f"{before}{int(word) - 1}{after}"
        elif word.isidentifier() and word not in _KEYWORDS:
            for name in [name for name in names if name != word][:MOST_NAMES]:
                yield before + name + after
        elif word in "()[]{}:.,=":
            # One too many.
            yield before + after


def _balanced(body: str) -> Iterator[str]:
    """Yield the line with what it lacks at its end: brackets, a colon."""
    missing: list[str] = []
    for letter in body:
        if letter in _CLOSING:
            missing.append(_CLOSING[letter])
        elif missing and letter == missing[-1]:
            missing.pop()
    ends = "".join(reversed(missing))
    colon = body.rstrip().endswith(":")
    if ends:
        yield body.rstrip().removesuffix(":") + ends + (":" if colon else "")
    if not colon:
        yield body.rstrip() + ends + ":"


def _names(around: Sequence[str]) -> list[str]:
    """Return the names in some lines, the most frequent first."""
    counts: dict[str, int] = {}
    for line in around:
        for word in re.findall(r"[A-Za-z_]\w*", line.partition("#")[0]):
            if word not in _KEYWORDS:
                counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda name: -counts[name])
