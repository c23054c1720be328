"""Functions in Python source: where they stand, where one that a model completes ends, and whether it parses.

Source: Chen et al. 2021, arXiv 2107.03374, section 2 (a function is to be completed from its signature and docstring).
"""

import ast
import dataclasses
import textwrap
import warnings

from makar.generation.python_scan import scan

SHORTEST_BODY_LINES = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Function:
    """A function in a file.

    Attributes:
        before: The file up to its first line.
        head: Its signature, and its docstring where it has one, whole lines.
        body: The rest of it, whole lines.
    """

    before: str
    head: str
    body: str


def parses(source: str) -> bool:
    """Return whether source is Python, whatever its indentation."""
    # Text of several lines may be less deep than the code around it, and then nothing is taken from the code either.
    return parsed(textwrap.dedent(source)) is not None or (
        source[:1] in (" ", "\t") and parsed(f"if True:\n{source}") is not None
    )


def parsed(source: str) -> ast.Module | None:
    """Return the syntax tree of source, ``None`` where it is no Python."""
    try:
        # A wrong escape in somebody's string is no concern of ours.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def functions_of(source: str) -> list[Function]:
    """Return the functions and methods of a file with a body of at least two lines beyond a docstring; none where it does not parse."""
    tree = parsed(source)
    if tree is None:
        return []
    # As the parser counts: a form feed ends no line.
    lines = source.replace("\r\n", "\n").split("\n")
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body or body[0].lineno <= node.lineno:
            continue
        first = body[0].lineno - 1
        last = node.end_lineno or first
        if last - first < SHORTEST_BODY_LINES:
            continue
        found.append(
            Function(
                before="".join(line + "\n" for line in lines[: node.lineno - 1]),
                head="".join(line + "\n" for line in lines[node.lineno - 1 : first]),
                body="".join(line + "\n" for line in lines[first:last]),
            )
        )
    return found


def body_of(head: str, written: str) -> tuple[str, bool]:
    """Cut what a model wrote after the head of a function where the function ends.

    Args:
        head: The first lines of the function.
        written: What the model wrote.

    Returns:
        (its lines, whether the function ended: a line that is not deeper than ``def`` followed). Where it did not, the last line is
        left out, because it may be half a one.
    """
    depth = _depth(head)
    lines = written.split("\n")
    for number, line in enumerate(lines[:-1] if len(lines) > 1 else lines):
        if line.strip() and _depth(line) <= depth:
            return "".join(one + "\n" for one in lines[:number]), True
    last = lines[-1]
    # The beginning of a line shows already that it is not deeper.
    is_over = bool(last.strip()) and _depth(last) <= depth
    return "".join(one + "\n" for one in lines[:-1]), is_over


def statements_of(head: str, written: str) -> tuple[str, bool]:
    """Cut what a model wrote after the head of a function before the first statement that is not deeper than ``def``.

    As ``body_of``, but a line inside of brackets, a text of several lines or a comment ends no function.
    """
    depth = _depth(head)
    found = scan(written)
    for start, end in found.lines:
        if _depth(written[start:end]) <= depth:
            return written[:start], True
    rest = written[found.start :]
    if rest.strip() and found.kind not in ("fresh", "wrong") and _depth(rest) <= depth:
        return written[: found.start], True
    return written[: written.rfind("\n") + 1], False


def is_whole(head: str, body: str) -> bool:
    """Return whether a head and what was written after it are a function; a head alone is none."""
    return bool(body.strip()) and parses(head + body)


def _depth(text: str) -> int:
    expanded = text.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())
