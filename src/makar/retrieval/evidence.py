"""Weighs how much of a sentence a passage holds: what a question finds its answer by, and what an answer is checked by.

A term counts by its rarity in the index, log(1 + passages / passages with it) (Spärck Jones 1972); one that is nowhere counts most. The
evidence for a sentence is the best pair of neighbouring sentences of a passage, by the share of the weight of its terms that they hold.
Words that are nearly the same only by their meaning are not seen: what is called unsupported here may be true, but is not in these
words.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from makar.data.sentences import sentence_spans
from makar.retrieval.orders import is_order
from makar.retrieval.search import Hit
from makar.retrieval.terms import Stemmer

WINDOW = 2
SUPPORTED = 0.6
"""Share of the weight of a sentence's terms from which on it counts as said by a source."""

WHOLE = 0.8
"""Share of the weight of a source's terms from which on a claim says nearly all of it."""

EQUAL = 1e-9
NEGATIONS = frozenset(("not", "no", "never", "none", "neither", "nor", "without", "cannot"))
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"\w+n't|\w+")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A sentence of a passage that was found.

    Attributes:
        source: Place of its passage among the hits, from 0 on.
        start: First character in the text of the document.
        end: Behind the last character.
        text: What it says.
        terms: Its terms that are no stop words.
        is_order: Whether it tells its reader to do something, and so supports nothing.
    """

    source: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    is_order: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Support:
    """What speaks for a sentence.

    Attributes:
        share: How much of the weight of its terms the best place holds, 0 to 1.
        source: Place of the passage among the hits; ``None`` where nothing speaks for it.
        start: First character of the place in the text of the document.
        end: Behind its last character.
        problem: Why it does not count although the words are there: a number or a negation that is not; empty otherwise.
    """

    share: float
    source: int | None = None
    start: int = 0
    end: int = 0
    problem: str = ""

    @property
    def is_enough(self) -> bool:
        """Whether the sentence counts as said by its source."""
        return self.share >= SUPPORTED and not self.problem


class CountsTerms(Protocol):
    """Knows how many passages there are and how many hold a term: an index, or several that are searched together."""

    def counts(self) -> tuple[int, int]:
        """Return the number of documents and of passages."""
        ...

    def frequencies(self, terms: Sequence[str]) -> Mapping[str, int]:
        """Return in how many passages each term is; terms that are nowhere are left out."""
        ...


class Evidence:
    """The sentences of passages that were found, and the weights of terms.

    Args:
        index: Where they were found.
        hits: The passages.
    """

    def __init__(self, index: CountsTerms, hits: Sequence[Hit]) -> None:
        self._index = index
        self._stemmer = Stemmer()
        self._passages = max(1, index.counts()[1])
        self._weights: dict[str, float] = {}
        self.hits = list(hits)
        self.sentences = self._divided()
        self._above = [self.terms(f"{hit.stored.document} {hit.stored.passage.heading}") for hit in self.hits]

    def terms(self, text: str) -> frozenset[str]:
        """Return the terms of a text that are no stop words."""
        return frozenset(self._stemmer.content_terms(text.replace("/", " ").replace("_", " ")))

    def weight(self, terms: Iterable[str]) -> float:
        """Return the sum of the weights of terms."""
        found = list(terms)
        missing = [term for term in found if term not in self._weights]
        if missing:
            counts = self._index.frequencies(missing)
            for term in missing:
                self._weights[term] = math.log(1 + self._passages / counts.get(term, 0.5))
        return sum(self._weights[term] for term in found)

    def share(self, wanted: frozenset[str], held: frozenset[str]) -> float:
        """Return how much of the weight of the wanted terms is held, 0 to 1; 0 where nothing is wanted."""
        whole = self.weight(wanted)
        return self.weight(wanted & held) / whole if whole else 0.0

    def above(self, source: int) -> frozenset[str]:
        """Return the terms of the name and the headings of a passage."""
        return self._above[source]

    def support(self, sentence: str, sources: Iterable[int] | None = None) -> Support:
        """Return what speaks best for a sentence.

        Args:
            sentence: What is claimed.
            sources: Places of the passages that are looked at; ``None`` looks at all.
        """
        wanted = self.terms(sentence)
        chosen = None if sources is None else set(sources)
        best = Support(share=0.0)
        for first, window in self._windows():
            if chosen is not None and first.source not in chosen:
                continue
            held = frozenset().union(*(one.terms for one in window))
            share = self.share(wanted, held | (self.above(first.source) & wanted))
            is_better = share > best.share + EQUAL
            is_another = len(window) == 1 and share > best.share - EQUAL and best.problem
            if is_better or is_another:
                # Of two sentences, or of a long one, the negation may belong to what is not claimed.
                is_whole = len(window) == 1 and self.share(self.terms(unnegated(first.text)), wanted) >= WHOLE
                text = " ".join(one.text for one in window)
                problem = difference(sentence, text, is_whole=is_whole)
                if is_better or not problem:
                    best = Support(
                        share=share,
                        source=first.source,
                        start=first.start,
                        end=window[-1].end,
                        problem=problem,
                    )
        return best

    def _windows(self) -> Iterable[tuple[Sentence, list[Sentence]]]:
        # Single sentences first: of two places that hold as much, the shorter is quoted.
        for length in range(1, WINDOW + 1):
            for place, first in enumerate(self.sentences):
                window = self.sentences[place : place + length]
                is_evidence = not any(one.is_order for one in window)
                if len(window) == length and window[-1].source == first.source and is_evidence:
                    yield first, window

    def _divided(self) -> list[Sentence]:
        found: list[tuple[int, int, int, str]] = []
        for source, hit in enumerate(self.hits):
            passage = hit.stored.passage
            for start, end in sentence_spans(passage.text):
                found.append((source, passage.start + start, passage.start + end, passage.text[start:end]))
        terms = self._many_terms([text for _, _, _, text in found])
        return [
            Sentence(
                source=source,
                start=start,
                end=end,
                text=" ".join(text.split()),
                terms=held,
                is_order=is_order(text),
            )
            for (source, start, end, text), held in zip(found, terms, strict=True)
        ]

    def _many_terms(self, texts: list[str]) -> list[frozenset[str]]:
        return [frozenset(terms) for terms in self._stemmer.many_content_terms(texts)]


def difference(claim: str, source: str, *, is_whole: bool = False) -> str:
    """Say in what a claim and its source cannot both be right: a number, or a negation; empty where nothing is found.

    Args:
        claim: What is said.
        source: What it is held against.
        is_whole: Whether the claim says nearly all of the source, so that it has to say its negation too.

    >>> difference("It costs 5 euros.", "The price is 7 euros.")
    'the number 5 is not there'
    >>> difference("He did not come.", "He came.")
    'only one of them is negated'
    >>> difference("He came.", "He did not come.", is_whole=True)
    'only one of them is negated'
    """
    missing = set(numbers(claim)) - set(numbers(source))
    if missing:
        return f"the number {min(missing)} is not there"
    differs = is_negated(claim) != is_negated(source) if is_whole else is_negated(claim) and not is_negated(source)
    return "only one of them is negated" if differs else ""


def numbers(text: str) -> list[str]:
    """Return the numbers of a text as they are written."""
    return _NUMBER.findall(text)


def is_negated(text: str) -> bool:
    """Return whether an English text holds a negation.

    >>> is_negated("He didn't come."), is_negated("He came.")
    (True, False)
    """
    return any(map(_negates, _words(text)))


def unnegated(text: str) -> str:
    """Return the words of an English text in small letters without those that negate.

    >>> unnegated("He didn't come.")
    'he come'
    """
    return " ".join(word for word in _words(text) if not _negates(word))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


def _negates(word: str) -> bool:
    return word in NEGATIONS or word.endswith("n't")
