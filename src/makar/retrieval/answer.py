"""Answers a question out of passages: the very sentences that answer it, with where they stand, or that they are not in these documents.

A sentence is chosen by how much of the question it holds, helped by the sentence before it, the headings above it and the place of its
passage in the search. Where even the best passage holds too little of the question, the answer is that the documents do not say. No
model of language is needed; where one writes the answer, ``checked`` says of each sentence what the sources hold of it.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from typing import Any

from makar.data.sentences import sentence_spans
from makar.retrieval.evidence import Evidence, Sentence, numbers
from makar.retrieval.search import Hit
from makar.retrieval.terms import neighbouring, words_of

NOT_HERE = "That is not in these documents."
LEAST_COVERED = 0.5
"""Share of the weight of the question's terms that the best passage has to hold, its headings included."""

LEAST_IN_SENTENCE = 0.3
AS_GOOD = 0.75
"""Sentences with this share of the best one's score belong to the answer too."""

BEFORE, ABOVE, PLACE, SIDE_BY_SIDE = 0.25, 0.2, 0.15, 0.4
"""Weights of what the sentence before, the headings, a first place and pairs of words of the question add to the share of a sentence."""

OF_THE_KIND = 0.1
"""What a sentence gains, as a share, that holds what a question of its kind asks for: a reason, a place, a time, a number, a means."""

LENGTH, USUAL_WORDS = 0.15, 20
"""What a sentence loses that is three times as long as usual: it holds more words of any question."""

_KINDS = {
    "how many": r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|hundred|thousand|\d+)\b",
    "why": r"\b(?:because|since|so that|in order|therefore|for)\b",
    "where": r"\b(?:in|at|on|under|into|to|near|by|from|behind|inside|through)\s+(?:the|a|an|his|her|their)\b",
    "when": r"\b(?:when|after|before|while|until|as soon|day|night|morning|evening|year|once)\b",
    "how": r"\b(?:by|with|through)\b",
}

LEAST_WORDS = 4
"""Fewer words without a full stop are a heading or a cell and answer nothing."""

_CITATION = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Citation:
    """Where something stands.

    Attributes:
        number: As it is written in the answer, from 1 on.
        document: Name of the document.
        heading: Headings above the place.
        page: Its page, where there are pages.
        start: First character of the place in the text of the document.
        end: Behind its last character.
        text: What stands there.
    """

    number: int
    document: str
    heading: str
    page: int | None
    start: int
    end: int
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said:
    """A sentence of an answer.

    Attributes:
        text: What it says, without numbers of citations.
        citations: Numbers of what it is taken from or supported by.
        support: How much of it the best source holds, 0 to 1.
        problem: Why it does not count as supported; empty where it does.
    """

    text: str
    citations: tuple[int, ...]
    support: float
    problem: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer with its sources.

    Attributes:
        question: What was asked.
        sentences: What is answered; none where it is not in the documents.
        citations: What the sentences refer to.
        by: ``"the documents"`` where sentences were taken out, otherwise the model that wrote it.
        written: What the model wrote, before it was checked; empty without one.
        signed: The signed manifest of that; ``None`` without a model.
        left_out: Sources, the last ones, that did not fit into what the model looks back on.
        is_cut: Whether not even the best source fits there, so that the model saw the end of it only.
    """

    question: str
    sentences: tuple[Said, ...]
    citations: tuple[Citation, ...]
    by: str = "the documents"
    written: str = ""
    signed: dict[str, Any] | None = None
    left_out: int = 0
    is_cut: bool = False

    @property
    def is_found(self) -> bool:
        """Whether the documents say something."""
        return bool(self.sentences)

    @property
    def text(self) -> str:
        """The answer with numbers of citations; sentences that nothing speaks for are marked."""
        if not self.sentences:
            return NOT_HERE
        return " ".join(_marked(said) for said in self.sentences)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values."""
        return {**dataclasses.asdict(self), "is_found": self.is_found, "text": self.text}


def extracted(question: str, hits: Sequence[Hit], evidence: Evidence, *, most: int = 3) -> Answer:
    """Return the sentences of passages that answer a question.

    Args:
        question: What is asked.
        hits: What the search found, the best first.
        evidence: Over these hits.
        most: Sentences at most.
    """
    asked = evidence.terms(question)
    held = [evidence.above(source) for source in range(len(hits))]
    for sentence in evidence.sentences:
        held[sentence.source] |= sentence.terms
    if not hits or max(evidence.share(asked, terms) for terms in held) < LEAST_COVERED:
        return Answer(question=question, sentences=(), citations=())
    scored = _scored(question, asked, evidence)
    best = max(scored, key=lambda pair: pair[0], default=(0.0, None))
    if best[1] is None or best[0] < LEAST_IN_SENTENCE:
        return Answer(question=question, sentences=(), citations=())
    ranked = sorted(scored, key=lambda pair: -pair[0])
    chosen: list[tuple[float, Sentence]] = []
    for score, sentence in ranked:
        if len(chosen) < most and score >= AS_GOOD * best[0] and not any(_same(sentence, one) for _, one in chosen):
            chosen.append((score, sentence))
    citations = tuple(
        _citation(number, hits[sentence.source], sentence.start, sentence.end, sentence.text)
        for number, (_, sentence) in enumerate(chosen, 1)
    )
    said = tuple(
        Said(text=sentence.text, citations=(number,), support=1.0) for number, (_, sentence) in enumerate(chosen, 1)
    )
    return Answer(question=question, sentences=said, citations=citations)


def checked(question: str, text: str, hits: Sequence[Hit], evidence: Evidence, *, by: str) -> Answer:
    """Return what a model wrote with every sentence checked against the sources.

    Numbers in brackets are citations where there is such a source; others are taken out. A sentence without one is given the place that
    supports it best, where one does. The numbers of the answer are those of the places.

    Args:
        question: What was asked.
        text: What the model wrote.
        hits: The sources as they were numbered for the model, from 1 on.
        evidence: Over these hits.
        by: Name of the model.
    """
    if not text.strip() or text.strip().rstrip(".").lower() == NOT_HERE.rstrip(".").lower():
        return Answer(question=question, sentences=(), citations=(), by=by)
    sentences: list[Said] = []
    citations: dict[tuple[str, int], Citation] = {}
    # A citation behind the full stop belongs to the sentence before it.
    joined = re.sub(r"([.!?])\s*((?:\[\d{1,3}(?:\s*,\s*\d{1,3})*\]\s*)+)", r" \2\1 ", text)
    for start, end in sentence_spans(joined):
        piece = joined[start:end]
        written = [int(number) for found in _CITATION.findall(piece) for number in found.split(",")]
        named = [number for number in dict.fromkeys(written) if 1 <= number <= len(hits)]
        bare = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(_CITATION.sub(" ", piece).split()))
        if not any(letter.isalnum() for letter in bare):
            continue
        support = evidence.support(bare, [number - 1 for number in named] if named else None)
        if named and not support.is_enough:
            # Cited wrongly, but perhaps said elsewhere.
            elsewhere = evidence.support(bare)
            support = elsewhere if elsewhere.is_enough else support
        if not support.is_enough or support.source is None:
            problem = support.problem or ("its sources do not say it" if named else "no source says it")
            sentences.append(Said(text=bare, citations=(), support=support.share, problem=problem))
            continue
        # Two sentences may stand in two places of one source, so places are numbered and not sources.
        hit = hits[support.source]
        inner = hit.stored.passage
        quote = inner.text[support.start - inner.start : support.end - inner.start]
        place = _citation(len(citations) + 1, hit, support.start, support.end, quote)
        kept = citations.setdefault((hit.stored.document, support.start), place)
        sentences.append(Said(text=bare, citations=(kept.number,), support=support.share))
    return Answer(
        question=question,
        sentences=tuple(sentences),
        citations=tuple(citations.values()),
        by=by,
    )


def _scored(question: str, asked: frozenset[str], evidence: Evidence) -> list[tuple[float, Sentence]]:
    scored: list[tuple[float, Sentence]] = []
    before: Sentence | None = None
    pairs, kind = neighbouring(question), _kind_of(question)
    for sentence in evidence.sentences:
        own = evidence.share(asked, sentence.terms)
        left = asked - sentence.terms
        score = own
        if before is not None and before.source == sentence.source:
            score += BEFORE * evidence.share(asked, before.terms & left)
        score += ABOVE * evidence.share(asked, evidence.above(sentence.source) & left)
        score += PLACE * own / (1 + sentence.source)
        if pairs:
            # A stop word says something where it stands beside a word of the subject: the "with" statement.
            score += (
                SIDE_BY_SIDE
                * len(pairs & set(itertools.pairwise(map(str.lower, words_of(sentence.text)))))
                / len(pairs)
            )
        if kind is not None and kind.search(sentence.text):
            score *= 1 + OF_THE_KIND
        score -= LENGTH * max(0, len(words_of(sentence.text)) - USUAL_WORDS) / (2 * USUAL_WORDS)
        if _says_nothing(sentence, asked):
            score *= 0.3
        scored.append((score, sentence))
        before = sentence
    return scored


def _kind_of(question: str) -> re.Pattern[str] | None:
    """Return what an answer to an English question of this kind holds; ``None`` where nothing is known."""
    asked = f" {' '.join(words_of(question)).lower()} "
    found = next((pattern for word, pattern in _KINDS.items() if f" {word} " in asked), None)
    return None if found is None else re.compile(found, re.IGNORECASE)


def _says_nothing(sentence: Sentence, asked: frozenset[str]) -> bool:
    """Whether a sentence is a question, a heading, or repeats the words that were asked and no others."""
    is_short = len(words_of(sentence.text)) < LEAST_WORDS and not sentence.text.endswith((".", "!", "。", "！"))
    return sentence.text.endswith("?") or is_short or len(sentence.terms) < 2 or not (sentence.terms - asked)


def _citation(number: int, hit: Hit, start: int, end: int, text: str) -> Citation:
    stored = hit.stored
    return Citation(
        number=number,
        document=stored.document,
        heading=stored.passage.heading,
        page=stored.passage.page,
        start=start,
        end=end,
        text=" ".join(text.split()),
    )


def _same(one: Sentence, other: Sentence) -> bool:
    # Two that differ in a number say two things.
    if set(numbers(one.text)) != set(numbers(other.text)):
        return False
    shared = len(one.terms & other.terms)
    return shared > 0.8 * min(len(one.terms), len(other.terms))


def _marked(said: Said) -> str:
    numbers = "".join(f" [{number}]" for number in said.citations)
    return f"{said.text}{numbers}" if not said.problem else f"{said.text} [unsupported: {said.problem}]"
