"""Cuts a text into what can be picked from it: its sentences, or the turns of a conversation; and into words.

A line that says who speaks begins a turn, and where most lines do, a turn is one unit, however many sentences it has. Elsewhere lines are
joined, because prose is often wrapped, and cut where a mark ends a sentence: not after an abbreviation or an initial, nor before a small
letter ("Come!" said he). Marks of other scripts end sentences too, with no space after them where such a script has none. What runs on
without an end is cut at a space, or after so many letters. Words are runs of letters and digits in lower case; of scripts without spaces,
pairs of letters.
"""

import re
import statistics

LONGEST, PIECE = 1000, 400
"""Characters of a unit at most, and of the pieces that a longer one is cut into."""

TURNS_SHARE = 0.5
"""Share of the lines that say who speaks from which on a text is a conversation."""

_LABEL = re.compile(r"\s*[^\s:：.!?,;][^:：.!?,;\n]{0,39}[:：](?=\s|$)")
_CLOSING = "\"'”’»)\\]」』】）"
_END = re.compile(rf"[.!?…؟।॥۔։።]+[{_CLOSING}]*(?=\s)|[。！？｡]+[{_CLOSING}]*")
_LAST = re.compile(rf"[.!?…؟।॥۔։።。！？｡:;][{_CLOSING}]*\s*$")
_BEFORE = re.compile(r"(?:^|[\s(])([^\W\d_]+(?:\.[^\W\d_]+)*)$")
_WORDS = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")

ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "dr", "st", "prof", "sr", "jr", "rev", "hon", "gen", "col", "capt", "lt", "sgt", "vs",
    "etc", "e.g", "i.e", "cf", "fig", "no", "vol", "pp", "bzw", "usw", "z.b", "d.h", "ca", "nr", "str", "hr",
    "fr", "m", "mme", "mlle",
))  # fmt: skip
"""Words after which a full stop ends no sentence."""


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
        if _UNSPACED.fullmatch(word) and len(word) > 2:
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
    found, start = [], 0
    for match in _END.finditer(paragraph):
        rest = paragraph[match.end() : match.end() + 8].lstrip()
        if rest[:1].islower() or (match.group() == "." and _is_abbreviation(paragraph[start : match.start()])):
            continue
        found.append(paragraph[start : match.end()].strip())
        start = match.end()
    return [sentence for sentence in [*found, paragraph[start:].strip()] if sentence]


def _is_abbreviation(before: str) -> bool:
    match = _BEFORE.search(before[-24:])
    if match is None:
        return False
    word = match.group(1)
    return word.lower() in ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")


def _pieces(unit: str) -> list[str]:
    found = []
    while len(unit) > PIECE:
        place = unit.rfind(" ", 1, PIECE)
        place = place if place > 0 else PIECE
        found.append(unit[:place].strip())
        unit = unit[place:].lstrip()
    return [piece for piece in [*found, unit] if piece]
