"""A text that is too long to be spoken at once, in two parts."""

import re

from makar.errors import UsageError


def halves(text: str) -> tuple[str, str]:
    """Return a text in two: between sentences, clauses or words, wherever that is nearest to its middle.

    Raises:
        UsageError: It is one word.
    """
    for pattern in (r"(?<=[.!?])\s+", r"(?<=[,;:])\s+", r"\s+"):
        places = [found.end() for found in re.finditer(pattern, text.rstrip()) if found.start() > 0]
        if places:
            middle = min(places, key=lambda place: abs(place - len(text) / 2))
            parts = text[:middle].rstrip(), text[middle:].rstrip()
            if all(re.search(r"\w", part) for part in parts):
                return parts
    raise UsageError(f'"{text[:40]}" is too long to be spoken at once', expected="words with spaces between")
