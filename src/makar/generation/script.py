"""A script to be read aloud: headings are chapters, ``NAME: text`` is said by that voice, everything else by the voice that spoke last.

A document of Markdown is a script of one voice. A name is one of the voices, whatever its case; a name in capitals that is none of them is
refused, because a line that the wrong voice says is worse than none. Emphasis, links and bullets of Markdown are not spoken.
"""

import collections
import dataclasses
import re
from collections.abc import Sequence

from makar.errors import UsageError

LONGEST_CHARACTERS = 200_000
MOST_VOICES = 16
UNTITLED = ""
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_SPEAKER = re.compile(r"([^\W\d_][\w .'-]{0,40}?)\s*:(?:\s+|$)")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^)]{0,2000}\)")
"""Bounded, and so is what follows: scripts come from strangers too, and none may take longer than its length."""

_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|(?<!_)_++(?!\w)")


@dataclasses.dataclass(frozen=True)
class Line:
    """What one voice says before another one, or another paragraph.

    Attributes:
        voice: Which voice, of those that were given.
        text: What it says.
        chapter: Number of its chapter.
    """

    voice: int
    text: str
    chapter: int


@dataclasses.dataclass(frozen=True)
class Script:
    """A script in order.

    Attributes:
        titles: Of the chapters; empty for what comes before the first heading.
        lines: What is said.
    """

    titles: tuple[str, ...]
    lines: tuple[Line, ...]


def check_length(text: str) -> None:
    """Refuse a script that is too long.

    Raises:
        UsageError: It is.
    """
    if len(text) > LONGEST_CHARACTERS:
        raise UsageError(f"a script of {len(text)} characters", expected=f"at most {LONGEST_CHARACTERS}")


def speakers(text: str) -> list[str]:
    """Return what may be names of speakers: what stands before a colon at the beginning of rows, in order; of too many the most frequent.

    >>> speakers("# One\\n**Ann:** Hello.\\nBOB: Hi.\\nann: Bye.")
    ['Ann', 'BOB']
    """
    found: dict[str, str] = {}
    rows: collections.Counter[str] = collections.Counter()
    for row in text.splitlines():
        said = plain(row.strip())
        if not _HEADING.match(row.strip()) and (name := _SPEAKER.match(said)):
            found.setdefault(name[1].casefold(), name[1])
            rows[name[1].casefold()] += 1
    # One voice more may be needed, where nobody is named.
    kept = dict(rows.most_common(MOST_VOICES - 1))
    return [name for folded, name in found.items() if folded in kept]


def read_script(text: str, voices: Sequence[str]) -> Script:
    """Return the lines and chapters of a script.

    Args:
        text: The script.
        voices: Names of the voices; the first speaks where none is named.

    Raises:
        UsageError: Nothing is said, it is too long, or a name has no voice.

    >>> read_script("# One\\nAnn: Hello.\\nBOB: Hi.\\n\\nAnd bye.", ["Ann", "Bob"]).lines[2]
    Line(voice=1, text='And bye.', chapter=0)
    """
    check_length(text)
    numbers = {name.casefold(): number for number, name in enumerate(voices)}
    titles: list[str] = []
    lines: list[Line] = []
    speaker, goes_on = 0, False
    for number, row in enumerate(text.splitlines(), start=1):
        stripped = row.strip()
        if heading := _HEADING.match(stripped):
            titles.append(plain(heading[1]).strip("# "))
            goes_on = False
            continue
        # Names stand in bold and behind bullets too, and what is left of a picture or a rule may be nothing.
        said = plain(stripped)
        if found := _SPEAKER.match(said):
            name = found[1]
            if name.casefold() in numbers:
                speaker, said, goes_on = numbers[name.casefold()], said[found.end() :], False
            elif name.isupper():
                raise UsageError(
                    f"line {number} is said by {name}, who has no voice",
                    expected=f"one of: {', '.join(voices)}",
                    do=f"--voice {name}=MODEL",
                )
        if not re.search(r"[^\W_]", said):
            goes_on = False
            continue
        if not titles:
            titles.append(UNTITLED)
        if goes_on and lines:
            said = f"{lines.pop().text} {said}"
        lines.append(Line(speaker, said, len(titles) - 1))
        goes_on = True
    if not lines:
        raise UsageError("nothing in the script is said", expected="lines of text, or NAME: text")
    return Script(tuple(titles), tuple(lines))


def plain(text: str) -> str:
    """Return a line of Markdown without its marks.

    >>> plain("- *Very* [good](http://x), `now`")
    'Very good, now'
    """
    text = _LINK.sub(r"\1", text)
    # A number of a list has one or two digits: 1984 at the beginning of a row is spoken.
    text = re.sub(r"^\s*(?:[-*+]|\d{1,2}[.)]|>)\s+", "", text)
    return _EMPHASIS.sub("", text).strip()
