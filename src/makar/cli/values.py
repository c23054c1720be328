"""Reads the values of options: durations such as 90s, 10m and 2h, controls such as truncation_psi=0.7, and lines of a file."""

import json
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from makar.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str | None) -> float | None:
    """Read a duration.

    Args:
        text: A number with ``s``, ``m``, ``h`` or ``d``; several parts add up (``1h30m``). ``None`` stays ``None``.

    Returns:
        Seconds, more than 0.

    Raises:
        UsageError: The text is no duration.
    """
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(
            f'"{text}" is no duration', expected="a number with s, m or h", do="--for 90s, --for 10m, --for 2h"
        )
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if total <= 0:
        raise UsageError(f'"{text}" is no time at all', expected="more than 0 seconds")
    return total


def controls_of(assignments: list[str], *, taken: Collection[str] = ()) -> dict[str, Any]:
    """Read ``NAME=VALUE`` controls of a model; values are JSON where they parse, otherwise text.

    Args:
        assignments: The assignments.
        taken: Names that were set in another way already.

    Raises:
        UsageError: An assignment has no ``=``, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise UsageError(f'"{assignment}" sets nothing', expected="NAME=VALUE, for example truncation_psi=0.7")
        if name in found or name in taken:
            raise UsageError(f'"{name}" is set twice', expected="each control once")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def texts_of(assignments: list[str]) -> dict[str, str]:
    """Read ``NAME=TEXT`` assignments; ``NAME=@FILE`` is the text of a file.

    Raises:
        UsageError: An assignment has no ``=``, a name comes twice, or a file cannot be read.
    """
    found: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name or name in found:
            raise UsageError(f'"{assignment}"', expected="NAME=TEXT, each name once", do="--var topic=rain")
        if text.startswith("@"):
            try:
                text = Path(text[1:]).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{text[1:]} cannot be read: {error}", expected="a file of text") from error
        found[name] = text
    return found


def lines_of(place: str) -> list[str]:
    """Return the lines of a text file, or of stdin for ``-``; empty ones are left out.

    Raises:
        UsageError: It cannot be read, is no text in UTF-8, or has no line with a letter.
    """
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{place} cannot be read as lines: {error}", expected="a text file in UTF-8") from error
    found = [line for line in text.split("\n") if line.strip()]
    if not found:
        raise UsageError(f"{place} has no lines", expected="one prompt a line")
    return found
