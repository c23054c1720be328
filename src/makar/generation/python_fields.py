"""The replacement field at the end of an f-string in progress: can what is written of it go on to one that parses?

Source: The Python Language Reference, section 2.4.3 of Python 3.11: an expression holds no backslash and no comment, ``!r``, ``!s`` or
``!a`` may follow, then a format that may hold fields itself, but those no further ones.
"""

import re
from collections.abc import Callable

from makar.generation.python_scan import string_end

Judge = Callable[[str], bool]
_CONVERSION = re.compile(r"!(?:[rsa](?::.*)?)?", re.DOTALL)
_DEEPEST = 2


def closed_part(body: str, *, is_raw: bool, begins: Judge, is_whole: Judge) -> str | None:
    """Return the beginning of a body that could be closed, once what is behind it was judged; ``None`` where that cannot go on.

    Args:
        body: The body of the f-string.
        is_raw: Whether a backslash is a letter.
        begins: Whether a text can be the beginning of Python.
        is_whole: Whether it is Python.
    """
    place = 0
    while place < len(body):
        letter = body[place]
        if letter == "\\" and not is_raw:
            named = re.compile(r"\\N\{[^}]*\}?").match(body, place)
            place = named.end() if named else place + 2
        elif body[place : place + 2] in ("{{", "}}"):
            place += 2
        elif letter in "{}" and place == len(body) - 1:
            # The second of two may follow, or a field.
            return body[:place]
        elif letter == "}":
            return None
        elif letter == "{":
            end = _field_end(body, place + 1, begins, is_whole, depth=1)
            if end is None:
                return body[:place]
            if end < 0:
                return None
            place = end
        else:
            place += 1
    return body


def _field_end(body: str, start: int, begins: Judge, is_whole: Judge, *, depth: int) -> int | None:
    """Return where a field ends, ``None`` where it is open and may go on, -1 where it cannot."""
    opened = 0
    place = start
    if depth > _DEEPEST:
        return -1
    while place < len(body):
        letter = body[place]
        if letter in "'\"":
            quote = letter * 3 if body.startswith(letter * 3, place) else letter
            end = string_end(body, place + len(quote), quote)
            if end is None:
                break
            if end < 0:
                return -1
            place = end
            continue
        if letter in "([{":
            opened += 1
        elif letter in ")]}":
            if not opened:
                return place + 1 if letter == "}" else -1
            opened -= 1
        elif letter == "!" and body[place + 1 : place + 2] == "=":
            place += 1
        elif not opened and letter in "!:":
            if letter == "!" and place == len(body) - 1 and begins("(" + body[start:place] + "!="):
                return None
            return _format_end(body, start, place, begins, is_whole, depth=depth)
        place += 1
    written = body[start:]
    if "\\" in written or "#" in written:
        return -1
    before = _without_equals(written)
    is_well = begins("(" + written) or (before != written and is_whole(f"({before})"))
    return None if is_well else -1


def _format_end(body: str, start: int, mark: int, begins: Judge, is_whole: Judge, *, depth: int) -> int | None:
    if not is_whole(f"({_without_equals(body[start:mark])})"):
        return -1
    place = mark
    while place < len(body):
        if body[place] == "{":
            end = _field_end(body, place + 1, begins, is_whole, depth=depth + 1)
            if end is None or end < 0:
                return end
            place = end
            continue
        if body[place] == "}":
            return place + 1
        place += 1
    said = body[mark:]
    return None if said.startswith(":") or _CONVERSION.fullmatch(said) else -1


def _without_equals(expression: str) -> str:
    stripped = expression.rstrip()
    is_shown = stripped.endswith("=") and stripped[-2:] not in ("==", "!=", "<=", ">=")
    return stripped[:-1] if is_shown else expression
