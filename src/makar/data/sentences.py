"""Where the sentences of a text are, by its punctuation and lines; offsets stay those of the text.

A sentence ends at . ! ? or an ellipsis before white space and something that can begin one, at the full stops of scripts that write no
spaces, at an empty line, and before a line that begins a list, a heading or a turn of a dialogue. Short forms that are written with a
full stop in English ("Mr.", "e.g.", initials, numbers) end nothing. The rules are few and need no model; where they err, a span is longer.
"""

import re

SHORT_FORMS = frozenset((
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e", "cf", "al", "fig", "no", "vol", "pp", "p", "inc",
    "ltd", "co", "dept", "approx", "ca", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
))  # fmt: skip

_END = re.compile(
    r"""[.!?…]+["'”’)\]]*(?=\s+["'“‘(\[]*[^\sa-z])      # an end, before white space and no small letter
    |[。！？｡]["'”’」』）]*                                # scripts without spaces
    |\n[ \t]*(?=\n)                                       # an empty line
    |\n(?=[ \t]*(?:[-*•>#|]|\d+[.)]\s|[\w .]{1,30}:\s))   # a list, a heading, a row, a turn
    """,
    re.VERBOSE,
)
_LAST_WORD = re.compile(r"([\w.]+)\.$")


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
        end = match.end()
        if text[match.start()] == "." and _is_short_form(text, match.start()):
            continue
        _add(spans, text, start, end)
        start = end
    _add(spans, text, start, len(text))
    return spans


def _is_short_form(text: str, stop: int) -> bool:
    found = _LAST_WORD.search(text[max(0, stop - 12) : stop + 1])
    if found is None:
        return False
    word = found[1].lower()
    # A single letter is an initial, unless it is the pronoun.
    return word in SHORT_FORMS or (len(word) == 1 and word.isalpha() and found[1] != "I")


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        spans.append((begin, begin + len(stripped)))
