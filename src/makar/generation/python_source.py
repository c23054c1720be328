"""What can be said of Python source without a model: where it does not parse, what in it cannot be meant, and what is no code; no torch."""

import ast
import dataclasses
import io
import tokenize
import warnings

from makar.generation.hole import lines_of

MOST_ERRORS = 5
_NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong with a line.

    Attributes:
        number: Of the line, from 1.
        message: What the parser or the checker says.
    """

    number: int
    message: str


def unparsable_lines(source: str) -> list[Finding]:
    """Return the lines at which source does not parse, the first for certain; what follows is looked at as if they were well."""
    lines = lines_of(source)
    found: list[Finding] = []
    for _ in range(MOST_ERRORS):
        error = _error("".join(lines))
        if error is None:
            break
        number, message = error
        number = min(max(1, number), len(lines)) if lines else 1
        if found and number <= found[-1].number:
            # What was put in its place made it no better: further errors would only follow from this one.
            break
        found.append(Finding(number=number, message=message))
        line = lines[number - 1] if lines else ""
        indentation = line[: len(line) - len(line.lstrip())]
        # What is deeper below a line belongs to it.
        following = next((one for one in lines[number:] if one.strip()), "")
        opens = len(following) - len(following.lstrip()) > len(indentation)
        lines[number - 1 : number] = [f"{indentation}{'if True:' if opens else 'pass'}\n"]
    return found


def doubtful_lines(source: str) -> list[Finding]:
    """Return the lines that parse and cannot be meant, by pyflakes: a name that nothing defines, a value that nobody reads; one a line.

    What it says of imports is left out: one too many is no mistake of a line. Over 8,307 lines of the standard library it finds one.
    """
    from pyflakes import checker, messages

    usual = (
        messages.UnusedImport,
        messages.ImportStarUsed,
        messages.ImportStarUsage,
        # Meant for other modules or for exec more often than not.
        messages.UnusedIndirectAssignment,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = checker.Checker(ast.parse(source)).messages
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    # Of several on one line the first by column.
    found = {
        one.lineno: Finding(number=one.lineno, message=one.message % one.message_args)
        for one in sorted(said, key=lambda one: (one.lineno, -one.col))
        if not isinstance(one, usual)
    }
    return list(found.values())


def _error(source: str) -> tuple[int, str] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return error.lineno or 1, error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return 1, str(error)
    return None


def code_columns(source: str) -> dict[int, list[tuple[int, int]]] | None:
    """Return the columns of code by line, without comments and texts over several lines; ``None`` where it cannot be told.

    Returns:
        By the number of the line, from 1, spans of columns from 0, the end not part of them. Words of documentation surprise a model
        of code and are no mistakes.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            (row, column), (last_row, last_column) = token.start, token.end
            if token.type in _NO_CODE or row != last_row or column == last_column:
                continue
            found.setdefault(row, []).append((column, last_column))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return None
    return found
