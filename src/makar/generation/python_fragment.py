"""A prompt as the beginning of Python source, also where it is the end of a file that was cut anywhere, or a method alone.

Models see only so much. A prompt that cannot begin Python as it stands is read as if it began in a text in three quotes that it closes, or
else from the first line on that begins a statement with a word; either in as many blocks as its indentation says. What was cut in the
middle of a text looks like code up to its end, and the code behind it like text: where the prompt seems to end in such a text, a later
beginning is looked for.
"""

import re
from collections.abc import Iterator

from makar.generation.python_prefix import PythonSource

_STATEMENT = re.compile(r"^([ \t]*)(?:@|(?:async|class|def|for|from|if|import|return|try|while|with)\b)", re.MULTILINE)
_MOST_TRIES = 64
_INDENTATION = 4


def python_of(prompt: str) -> PythonSource | None:
    """Return a prompt as the beginning of Python source, ``None`` where it is none.

    >>> source = python_of("the end of a docstring\\n    def area(self):\\n")
    >>> None if source is None else source.indentations
    ['', '    ']
    """
    # Some tokenizers put a space before every text.
    text = prompt[1:] if prompt[:1] == " " and prompt[1:2].strip() else prompt
    in_text: PythonSource | None = None
    for written in _readings(text):
        source = PythonSource().read(written)
        if source is None:
            continue
        end = source.end
        is_whole_prompt = written is text
        if is_whole_prompt or end.kind != "string" or len(end.quote.lstrip("bBfFrRuU")) == 1:
            return source
        in_text = in_text or source
    return in_text


def _readings(text: str) -> Iterator[str]:
    yield text
    for quote in ('"""', "'''"):
        said, closing, rest = text.partition(quote)
        if closing:
            lead = _lead_of_code(said, rest)
            yield f"{_blocks(lead)}{lead}{quote}{text}"
    for number, match in enumerate(_STATEMENT.finditer(text)):
        if number == _MOST_TRIES:
            return
        yield _blocks(match.group(1)) + text[match.start() :]


def _lead_of_code(said: str, rest: str) -> str:
    """Return the white space before the code around a text in three quotes: what follows says it, or else the end of the text."""
    after = next((line for line in rest.splitlines()[1:] if line.strip()), None)
    # A line that was cut in the middle says nothing of where it began.
    nearest = after or ("".join(said.rpartition("\n")[1:]).lstrip("\n") or " " * 2 * _INDENTATION)
    return nearest[: len(nearest) - len(nearest.lstrip(" \t"))]


def _blocks(indentation: str) -> str:
    """Return lines that open as many blocks as a line of this indentation stands in."""
    width = 1 if indentation.startswith("\t") else _INDENTATION
    leads = [indentation[:end] for end in range(0, len(indentation), width)]
    return "".join(f"{lead}if _:\n" for lead in leads)
