"""Cuts a text into what can be picked from it: its sentences, or the turns of a conversation; and into words.

A line that says who speaks begins a turn, and where most lines do, a turn is one unit, however many sentences it has. Elsewhere lines are
joined, because prose is often wrapped, and cut where a sentence ends (``makar.data.sentences``). What runs on without an end is cut at a
space, or after so many letters. Words are runs of letters and digits in lower case; of scripts without spaces,
pairs of letters.
"""

import re
import statistics

from makar.data.sentences import CLOSING, UNSPACED, sentence_spans

LONGEST, PIECE = 1000, 400
"""Characters of a unit at most, and of the pieces that a longer one is cut into."""

TURNS_SHARE = 0.5
"""Share of the lines that say who speaks from which on a text is a conversation."""

_LABEL = re.compile(r"\s*[^\s:：.!?,;][^:：.!?,;\n]{0,39}[:：](?=\s|$)")
_LAST = re.compile(rf"[.!?…؟।॥۔։።。！？｡:;][{CLOSING}]*\s*$")
_WORDS = re.compile(r"[^\W_]+")


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, or the turns of a conversation, in order and without white space around them.

    >>> sentences_of('Mr. Fox came. "Who is there?" asked the hen. It rained.')
    ['Mr. Fox came.', '"Who is there?" asked the hen.', 'It rained.']
    >>> sentences_of("Ann: Hello. How are you?\\nBob: Well.")
    ['Ann: Hello. How are you?', 'Bob: Well.']
    """
    lines = [line.strip() for line in text.splitlines()]
    if is_conversation(text):
        units = _turns([line for line in lines if line])
    else:
        units = [sentence for paragraph in _paragraphs(lines) for sentence in _cut(paragraph)]
    return [piece for unit in units for piece in (_pieces(unit) if len(unit) > LONGEST else [unit])]


def is_conversation(text: str) -> bool:
    """Return whether most lines of a text say who speaks.

    >>> is_conversation("Ann: Hello.\\nBob: Well."), is_conversation("One line.")
    (True, False)
    """
    filled = [line for line in text.splitlines() if line.strip()]
    return len(filled) > 1 and sum(_LABEL.match(line) is not None for line in filled) > TURNS_SHARE * len(filled)


def words_of(text: str) -> list[str]:
    """Return runs of letters and digits in lower case.

    >>> words_of("#Person1#: It's 5 o'clock")
    ['person1', 'it', 's', '5', 'o', 'clock']
    """
    return _WORDS.findall(text.lower())


def terms_of(text: str) -> list[str]:
    """Return the words of a text, and pairs of letters where a script has no spaces between words.

    >>> terms_of("Rain 東京都")
    ['rain', '東京', '京都']
    """
    found = []
    for word in words_of(text):
        if len(word) > 2 and all(map(UNSPACED.match, word)):
            found += [word[place : place + 2] for place in range(len(word) - 1)]
        else:
            found.append(word)
    return found


def _turns(lines: list[str]) -> list[str]:
    """Return turns; a line that says no speaker goes on with the turn before."""
    turns: list[list[str]] = []
    for line in lines:
        if _LABEL.match(line) or not turns:
            turns.append([line])
        else:
            turns[-1].append(line)
    return [" ".join(turn) for turn in turns]


def _paragraphs(lines: list[str]) -> list[str]:
    """Return lines that belong together as one: a heading ends where it ends, a wrapped line does not."""
    usual = statistics.median([len(line) for line in lines if line] or [0])
    found: list[str] = []
    kept: list[str] = []
    for line in lines:
        if line:
            kept.append(line)
        # A line of half the width, or one with its end, was not broken because it was full.
        if kept and (not line or _LAST.search(line) or len(line) < usual / 2):
            found.append(" ".join(kept))
            kept = []
    return [*found, " ".join(kept)] if kept else found


def _cut(paragraph: str) -> list[str]:
    return [paragraph[start:end] for start, end in sentence_spans(paragraph)]


def _pieces(unit: str) -> list[str]:
    found = []
    while len(unit) > PIECE:
        place = unit.rfind(" ", 1, PIECE)
        place = place if place > 0 else PIECE
        found.append(unit[:place].strip())
        unit = unit[place:].lstrip()
    return [piece for piece in [*found, unit] if piece]
