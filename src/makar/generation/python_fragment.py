"""The part of a prompt that is read as Python: all of it, or from the first line on from which it can be.

A prompt may be the end of a file that was cut anywhere, because models see only so much, or a method alone. Then it is read from the first
line that begins a statement with a word, which stands in as many blocks as its indentation says. What was cut in the middle of a text of
many lines looks like code up to its end, and the code behind it like text: where the prompt seems to end in such a text, a later beginning
is looked for.
"""

import re
from collections.abc import Iterator

from makar.generation.python_prefix import PythonSource

_STATEMENT = re.compile(
    r"^([ \t]*)(?:@|(?:async|class|def|for|from|if|import|return|try|while|with)\b)", re.MULTILINE
)
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
    for number, match in enumerate(_STATEMENT.finditer(text)):
        if number == _MOST_TRIES:
            return
        yield _blocks(match.group(1)) + text[match.start() :]


def _blocks(indentation: str) -> str:
    """Return lines that open as many blocks as a line of this indentation stands in."""
    width = 1 if indentation.startswith("\t") else _INDENTATION
    leads = [indentation[:end] for end in range(0, len(indentation), width)]
    return "".join(f"{lead}if _:\n" for lead in leads)
