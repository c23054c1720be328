"""Divides a reading into the passages that are searched: first by its sections, then by sentences, with a little of the one before.

A passage holds about ``WORDS`` words and never crosses a heading or a page. Sentences stay whole; one that is longer than a passage is
cut between words. Passages of one section overlap by whole sentences, so that what stands at a border is found from both sides.
"""

import dataclasses
import re

from makar.data.sentences import UNSPACED, sentence_spans
from makar.retrieval.reading import Reading, Section

WORDS = 160
OVERLAP = 0.15
"""Share of a passage that is repeated in the next one, at most."""

LETTERS_A_WORD = 40
"""A run of more letters is no word, and counts as several."""

_WORD = re.compile(r"\S+")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A stretch of a document that is found as a whole.

    Attributes:
        start: First character in the text of the document.
        end: Behind the last character.
        heading: Headings above it.
        page: Its page, where there are pages.
        text: What it says.
    """

    start: int
    end: int
    heading: str
    page: int | None
    text: str


def passages(reading: Reading, *, words: int = WORDS, overlap: float = OVERLAP) -> list[Passage]:
    """Return the passages of a document in order.

    Args:
        reading: The document.
        words: Usual length of a passage, at least 8.
        overlap: Share of a passage that is repeated in the next one, at most; 0 to 0.5.
    """
    found = []
    for section in reading.sections:
        inner = reading.text[section.start : section.end]
        spans = [piece for span in sentence_spans(inner) for piece in _pieces(inner, span, words)]
        for start, end in _packed([_count(inner[start:end]) for start, end in spans], words, overlap):
            found.append(_passage(reading.text, section, spans[start][0], spans[end - 1][1]))
    return found


def _passage(text: str, section: Section, start: int, end: int) -> Passage:
    start, end = section.start + start, section.start + end
    return Passage(start=start, end=end, heading=section.heading, page=section.page, text=text[start:end])


def _packed(counts: list[int], words: int, overlap: float) -> list[tuple[int, int]]:
    """Return ranges of sentences that hold up to ``words`` words each; a short rest joins the one before."""
    ranges: list[tuple[int, int]] = []
    start = 0
    while start < len(counts):
        end, held = start, 0
        while end < len(counts) and (end == start or held + counts[end] <= words):
            held += counts[end]
            end += 1
        if sum(counts[end:]) <= words // 4:
            end = len(counts)
        ranges.append((start, end))
        if end == len(counts):
            break
        following, repeated = end, 0
        while following - 1 > start and repeated + counts[following - 1] <= overlap * words:
            following -= 1
            repeated += counts[following]
        start = following
    return ranges


def _pieces(text: str, span: tuple[int, int], words: int) -> list[tuple[int, int]]:
    """Return a sentence, or its parts where it is longer than a passage."""
    start, end = span
    if _count(text[start:end]) <= words:
        return [span]
    if UNSPACED.search(text, start, end):
        step = 2 * words
        return [(place, min(end, place + step)) for place in range(start, end, step)]
    longest = LETTERS_A_WORD * words
    found = [
        (place, min(match.end(), place + longest))
        for match in _WORD.finditer(text, start, end)
        for place in range(match.start(), match.end(), longest)
    ]
    parts = _packed([_count(text[first:last]) for first, last in found], words, OVERLAP)
    return [(found[first][0], found[last - 1][1]) for first, last in parts]


def _count(text: str) -> int:
    """Return how many words a text counts as; a long run of letters counts for its length, two letters without spaces as a word."""
    found = sum(1 + (match.end() - match.start()) // LETTERS_A_WORD for match in _WORD.finditer(text))
    return found + len(UNSPACED.findall(text)) // 2
