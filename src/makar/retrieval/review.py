"""One cited review over many documents: what they say on a subject, where they agree or contradict each other, and what is missing.

Sentences on the subject are grouped by their terms. A group with sentences of several documents is agreement; two sentences that share
most of their terms but not their numbers, or of which one is negated, are set against each other. What of the question no sentence
holds is a gap, and so is what only one document says. Every line is a quotation with its place; no model of language is needed.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from makar.retrieval.answer import Citation
from makar.retrieval.evidence import Evidence, Sentence, is_negated, numbers
from makar.retrieval.search import Hit
from makar.retrieval.terms import content_words

LEAST_ON_SUBJECT = 0.3
ALIKE = 0.5
"""Share of the weight of the terms of the shorter of two sentences that both hold."""

MOST_POINTS = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """Something that is said.

    Attributes:
        text: The sentence that says it best.
        citations: Numbers of the places that say it.
        documents: In how many documents.
    """

    text: str
    citations: tuple[int, ...]
    documents: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Review:
    """What documents say on a subject.

    Attributes:
        question: The subject.
        points: What is said, the most often said first.
        contradictions: Pairs of numbers of citations that cannot both be right, and why.
        gaps: Words of the question that no sentence holds.
        citations: The places.
    """

    question: str
    points: tuple[Point, ...]
    contradictions: tuple[tuple[int, int, str], ...]
    gaps: tuple[str, ...]
    citations: tuple[Citation, ...]

    @property
    def text(self) -> str:
        """The review as Markdown."""
        agreed = [point for point in self.points if point.documents > 1]
        single = [point for point in self.points if point.documents == 1]
        lines = [f"# {self.question}", ""]
        for title, points in (("Said by several documents", agreed), ("Said by one document only", single)):
            if points:
                lines += [f"## {title}", "", *(f"- {point.text} {_numbers(point.citations)}" for point in points), ""]
        if self.contradictions:
            lines += ["## Set against each other", ""]
            lines += [f"- [{one}] and [{other}]: {why}" for one, other, why in self.contradictions] + [""]
        gaps = ", ".join(self.gaps) if self.gaps else "nothing of the question"
        lines += ["## Not said anywhere", "", f"- {gaps}", "", "## Places", ""]
        for citation in self.citations:
            place = f", page {citation.page}" if citation.page else f", {citation.heading}" if citation.heading else ""
            lines.append(f"[{citation.number}] {citation.document}{place}: {citation.text}")
        return "\n".join(lines)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values."""
        return {**dataclasses.asdict(self), "text": self.text}


def review(question: str, hits: Sequence[Hit], evidence: Evidence) -> Review:
    """Return what documents say on a subject.

    Args:
        question: The subject.
        hits: Passages on it, of many documents.
        evidence: Over these hits.
    """
    asked = evidence.terms(question)
    shares = [(evidence.share(asked, sentence.terms), sentence) for sentence in evidence.sentences]
    ranked = sorted((pair for pair in shares if pair[0] >= LEAST_ON_SUBJECT), key=lambda pair: -pair[0])
    chosen = [sentence for _, sentence in ranked if not sentence.text.endswith("?") and len(sentence.terms) > 2]
    groups: list[list[Sentence]] = []
    for sentence in chosen:
        fitting = next((group for group in groups if _alike(group[0], sentence, evidence)), None)
        if fitting is None:
            groups.append([sentence])
        else:
            fitting.append(sentence)
    names = [hit.stored.document for hit in hits]
    groups.sort(key=lambda group: -len({names[sentence.source] for sentence in group}))
    groups = groups[:MOST_POINTS]
    places = [sentence for group in groups for sentence in _one_a_document(group, names)]
    numbered = {id(sentence): number for number, sentence in enumerate(places, 1)}
    points = []
    for group in groups:
        kept = _one_a_document(group, names)
        cited = tuple(numbered[id(sentence)] for sentence in kept)
        points.append(Point(text=group[0].text, citations=cited, documents=len(kept)))
    said = frozenset().union(*(sentence.terms for sentence in chosen))
    words = dict.fromkeys(content_words(question))
    return Review(
        question=question,
        points=tuple(points),
        contradictions=tuple(_against(groups, names, numbered)),
        gaps=tuple(word for word in words if not evidence.terms(word) & said),
        citations=tuple(_place(numbered[id(sentence)], sentence, hits) for sentence in places),
    )


def _alike(one: Sentence, other: Sentence, evidence: Evidence) -> bool:
    shorter = min(one.terms, other.terms, key=evidence.weight)
    return evidence.share(shorter, one.terms & other.terms) >= ALIKE


def _one_a_document(group: list[Sentence], names: list[str]) -> list[Sentence]:
    first: dict[str, Sentence] = {}
    for sentence in group:
        first.setdefault(names[sentence.source], sentence)
    return list(first.values())


def _against(groups: list[list[Sentence]], names: list[str], numbered: dict[int, int]) -> list[tuple[int, int, str]]:
    found = []
    for group in groups:
        kept = _one_a_document(group, names)
        for place, one in enumerate(kept):
            for other in kept[place + 1 :]:
                mine, theirs = set(numbers(one.text)), set(numbers(other.text))
                if mine and theirs and not mine & theirs:
                    why = f"{min(mine)} here, {min(theirs)} there"
                elif is_negated(one.text) != is_negated(other.text):
                    why = "one of them is negated"
                else:
                    continue
                found.append((numbered[id(one)], numbered[id(other)], why))
    return found


def _place(number: int, sentence: Sentence, hits: Sequence[Hit]) -> Citation:
    stored = hits[sentence.source].stored
    return Citation(
        number=number,
        document=stored.document,
        heading=stored.passage.heading,
        page=stored.passage.page,
        start=sentence.start,
        end=sentence.end,
        text=sentence.text,
    )


def _numbers(citations: tuple[int, ...]) -> str:
    return "".join(f"[{number}]" for number in citations)
