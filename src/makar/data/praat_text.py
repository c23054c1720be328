"""TextGrids of Praat, in the long and the short form, as tiers of stretches.

Praat itself reads of a text file only what stands free: numbers between spaces, texts in quotes (two quotes are one in it), and flags
such as ``<exists>``; all else, as ``xmin =`` or ``intervals [2]:``, is for people. So one reader reads both forms (the manual of Praat,
"TextGrid file formats"). Files in UTF-16 are read too. Binary and chronological files are refused.
"""

import dataclasses
import re
from collections.abc import Iterator

from makar.data.spoken_times import SpokenTimes, Stretch, times_of
from makar.errors import DataError

TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"|(?P<flag><[^>\n]*>)|(?P<comment>!.*)|(?P<number>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?=\s|$)|(?P<open>")'
    r"|[^\s\"]+"
)
PHONE_TIERS = frozenset(("phone", "phones", "phoneme", "phonemes", "segment", "segments", "phn", "mau"))
WORD_TIERS = frozenset(("word", "words", "ort", "ort-mau", "orthography"))
MOST_TIERS = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    line: int


class _Tokens:
    """What stands free in a file, one after the other."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._found = _tokens(text)
        self._last = 1

    def next(self, kind: str, what: str) -> _Token:
        """Return the next of them, which must be a ``"text"``, a ``"number"`` or a ``"flag"``.

        Raises:
            DataError: It is another, or the file is at its end.
        """
        token = next(self._found, None)
        if token is None or token.kind != kind:
            came = "the file ends" if token is None else f'"{token.value[:40]}"'
            line = self._last if token is None else token.line
            raise DataError(
                f"{self.source} line {line}: {came} where {what} is expected",
                expected="a TextGrid as Praat saves it as text",
            )
        self._last = token.line
        return token

    def seconds(self, what: str) -> float:
        """Return the next number."""
        return float(self.next("number", what).value)

    def count(self, what: str) -> int:
        """Return the next number, which counts something."""
        token = self.next("number", what)
        if not token.value.isdigit():
            raise DataError(f"{self.source} line {token.line}: {token.value} {what}", expected="a whole number")
        return int(token.value)


def _tokens(text: str) -> Iterator[_Token]:
    line, seen = 1, 0
    for found in TOKEN.finditer(text):
        line += text.count("\n", seen, found.start())
        seen = found.start()
        if found.lastgroup is not None and found.lastgroup != "comment":
            value = found[found.lastgroup]
            yield _Token(found.lastgroup, value.replace('""', '"') if found.lastgroup == "text" else value, line)


def times_of_textgrid(text: str, source: str) -> SpokenTimes:
    """Return the times of phones and words in a TextGrid.

    Args:
        text: The file.
        source: Its name.

    Raises:
        DataError: It is damaged, its times contradict each other, or it has no tier of phones or words, or several; the message names
            file and line.
    """
    tokens = _Tokens(text, source)
    kind = tokens.next("text", 'File type = "ooTextFile"')
    of = tokens.next("text", 'Object class = "TextGrid"')
    if kind.value != "ooTextFile" or not of.value.startswith("TextGrid"):
        raise DataError(f'{source} line {of.line}: "{kind.value}", "{of.value}"', expected='"ooTextFile", "TextGrid"')
    tokens.seconds("the beginning"), tokens.seconds("the end")
    if tokens.next("flag", "<exists>").value != "<exists>":
        raise DataError(f"{source} line {of.line}: a TextGrid without tiers", expected="a tier of phones or words")
    tiers: dict[str, list[list[Stretch]]] = {}
    for _ in range(min(tokens.count("tiers"), MOST_TIERS)):
        name, stretches = _tier(tokens)
        if stretches is not None:
            tiers.setdefault(name, []).append(stretches)
    return _chosen(tiers, source)


def _tier(tokens: _Tokens) -> tuple[str, list[Stretch] | None]:
    """Return name and stretches of the next tier; ``None`` where it holds points."""
    kind = tokens.next("text", "the class of a tier")
    if kind.value not in ("IntervalTier", "TextTier"):
        raise DataError(
            f'{tokens.source} line {kind.line}: a tier of class "{kind.value}"', expected="IntervalTier or TextTier"
        )
    name = tokens.next("text", "the name of a tier").value
    tokens.seconds("the beginning of a tier"), tokens.seconds("the end of a tier")
    count = tokens.count("intervals or points")
    if kind.value == "TextTier":
        for _ in range(count):
            tokens.seconds("the time of a point"), tokens.next("text", "the mark of a point")
        return name, None
    found = []
    for _ in range(count):
        start, end = tokens.seconds("the beginning of an interval"), tokens.seconds("the end of an interval")
        label = tokens.next("text", "the text of an interval")
        found.append(Stretch(start, end, label.value, label.line))
    return name, found


def _chosen(tiers: dict[str, list[list[Stretch]]], source: str) -> SpokenTimes:
    """Return phones and words of the tiers that are called so, or of the only one, whatever it is called."""
    every = [(name, stretches) for name, several in tiers.items() for stretches in several]
    # Aligners write who speaks before: "anna - phones".
    last = [(name.rpartition(" - ")[2].strip().lower(), stretches) for name, stretches in every]
    phones = [stretches for name, stretches in last if name in PHONE_TIERS]
    words = [stretches for name, stretches in last if name in WORD_TIERS]
    if len(phones) > 1 or len(words) > 1:
        raise DataError(
            f"{source} line 1: {max(len(phones), len(words))} tiers of the same kind ({', '.join(tiers)})",
            expected="one speaker a recording, with one tier of phones and one of words",
        )
    if not phones and not words:
        if len(every) != 1:
            raise DataError(
                f"{source} line 1: its tiers are called {', '.join(tiers) or 'nothing'}",
                expected="tiers called phones or words",
            )
        return times_of(source, either=every[0][1])
    return times_of(source, phones=phones[0] if phones else (), words=words[0] if words else ())
