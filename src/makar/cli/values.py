"""Reads the values of options: durations such as 90s, 10m and 2h."""

import re

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
