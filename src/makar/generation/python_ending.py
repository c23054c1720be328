"""A short text that makes a source whole that was broken off: it closes what is open, and says ``pass`` where something has to stand.

What is tried first closes; what is tried last opens something new that is closed at once. Each step keeps to what can begin Python, so
that the text is whole when the walk ends, or there is none.
"""

from collections.abc import Iterator

from makar.generation.python_prefix import KEYWORDS, PythonSource

_MOST_STEPS = 250
"""Python knows at most 200 brackets at once."""
_OPERANDS = ("_", "0", "*_", "_=_")
_WORDS = (":", "=_", " _", " else _", " in _", " import _", "()", " for _ in _")
"""What can be missing in the middle of a line."""


def ending(source: PythonSource) -> str | None:
    """Return what makes a source whole, a line end in any case where a line is in progress; ``None`` where nothing was found.

    >>> source = PythonSource().read("def f(x):\\n    return [x")
    >>> None if source is None else ending(source)
    ']\\n'
    """
    said = ""
    for _ in range(_MOST_STEPS):
        if not source.line.strip() and source.is_whole:
            return said
        for piece in _pieces(source):
            after = source.read(piece)
            if after is not None:
                source, said = after, said + piece
                break
        else:
            return None
    return None


def _pieces(source: PythonSource) -> Iterator[str]:
    end = source.end
    if end.kind in ("comment", "backslash"):
        yield "\n"
    elif end.kind == "string":
        quote = end.quote.lstrip("bBfFrRuU")
        # A backslash, a replacement field or an escape may be in the way.
        yield from (quote, f" {quote}", f"}}{quote}", f"_}}{quote}", f"r}}{quote}", f"0{quote}")
        yield from ("}", "_", "0", ")", "]", "'", '"')
    elif end.kind == "fresh" and source.line.strip():
        # A comment.
        yield "\n"
    elif end.kind == "fresh":
        yield from _statements(source)
    else:
        yield end.brackets[0] if end.brackets else "\n"
        name = source.line[end.at :] if end.kind == "name" else ""
        yield from () if end.kind in ("name", "number") else _OPERANDS
        yield from _WORDS
        yield from (word[len(name) :] for word in KEYWORDS if name and word.startswith(name) and word != name)
        yield from {"name": ("_", "''"), "number": ("0",)}.get(end.kind, ("''",))


def _statements(source: PythonSource) -> Iterator[str]:
    """Yield statements for a new line: in a new block, then at the depth of each that is open, the innermost first."""
    # White space that is there already cannot be taken back, only left on a line of its own.
    given = source.line
    levels = source.indentations[::-1]
    inner = (levels[0] if levels else "") + "    "
    for words, leads in (
        (("pass", "case _: pass"), [inner]),
        (("finally: pass",), levels),
        (("def _(): pass",), levels),
    ):
        for lead in leads:
            start = lead.removeprefix(given) if lead.startswith(given) else "\n" + lead
            yield from (f"{start}{word}\n" for word in words)
