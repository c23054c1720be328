"""Where the sentences of a text are, by its punctuation and lines; offsets stay those of the text.

A sentence ends at a mark of its script before white space, but not before a small letter ("Come!" said he), at the marks of scripts that
write no spaces, at an empty line, and before a line that begins a list, a heading or a turn of a dialogue. Abbreviations and initials end
nothing. The rules are few and need no model; where they err, a sentence is longer.
"""

import re

ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "dr", "st", "prof", "sr", "jr", "rev", "hon", "gen", "col", "capt", "lt", "sgt", "vs",
    "etc", "e.g", "i.e", "cf", "fig", "no", "vol", "pp", "approx", "inc", "ltd", "dept", "jan", "feb", "mar", "apr", "jun", "jul", "aug",
    "sep", "sept", "oct", "nov", "dec", "bzw", "usw", "z.b", "d.h", "ca", "nr", "str", "hr", "fr", "m", "mme", "mlle",
))  # fmt: skip
"""Words after which a full stop ends no sentence."""

CLOSING = "\"'”’»)\\]」』】）"
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""A character of a script that writes no spaces between words."""

_END = re.compile(
    rf"""[.!?…؟।॥۔։።]+[{CLOSING}]*(?=\s)               # a mark before white space
    |[。！？｡]+[{CLOSING}]*                              # scripts without spaces
    |\n[ \t]*(?=\n)                                      # an empty line
    |\n(?=[ \t]*(?:[-*•>\#|]|\d+[.)]\s|[\w .]{{1,30}}:\s)) # a list, a heading, a row, a turn
    """,
    re.VERBOSE,
)
_BEFORE = re.compile(r"(?:^|[\s(\"'“‘])([^\W\d_]+(?:\.[^\W\d_]+)*)$")
LOOKED_BACK, LOOKED_AHEAD = 24, 8


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of every sentence, in order, without the white space around it.

    Args:
        text: Any text.

    >>> text = "Mr. Smith paid 3.50 euros. He left!  Why?"
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['Mr. Smith paid 3.50 euros.', 'He left!', 'Why?']
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        mark = match.group().strip()
        if mark:
            following = text[match.end() : match.end() + LOOKED_AHEAD].lstrip()
            if following[:1].islower() and not _is_wide(mark):
                continue
            if mark == "." and _is_abbreviation(text[max(start, match.start() - LOOKED_BACK) : match.start()]):
                continue
        _add(spans, text, start, match.end())
        start = match.end()
    _add(spans, text, start, len(text))
    return spans


def _is_wide(mark: str) -> bool:
    return mark[0] in "。！？｡"


def _is_abbreviation(before: str) -> bool:
    found = _BEFORE.search(before)
    if found is None:
        return False
    word = found[1]
    return word.lower() in ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        spans.append((begin, begin + len(stripped)))
