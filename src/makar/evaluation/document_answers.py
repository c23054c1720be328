"""Measures answers out of documents on questions whose answers are known, without a judge: what is found, cited, said, and left unsaid.

Finding: recall, nDCG@10 and MRR of the documents that hold an answer, in the order of their best passages, and of the very passages where
these are known; a passage counts for each place once. Answers: citation precision and recall, F1 of the words, and silence
(``citations``). What a sceptic would do instead stands beside every figure: any word of the question in FTS5, and of the passage that this
finds first the sentence nearest to the question. Differences are paired by question.
"""

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from makar.errors import DataError
from makar.evaluation.bootstrap import Interval
from makar.evaluation.citations import Asked, answer_f1, citation_hits, citation_scores
from makar.evaluation.document_finding import DOCUMENT, PASSAGE, finding_scores
from makar.evaluation.facts import Facts
from makar.evaluation.findings import Findings, Score, Table
from makar.evaluation.labelled_questions import LabelledQuestion
from makar.evaluation.material import OnEvent
from makar.evaluation.paired_scores import Differences, note_differences, paired_score
from makar.evaluation.text_answers import nearest_sentences
from makar.retrieval.answer import NOT_HERE, Answer, Citation, Said, extracted
from makar.retrieval.evidence import Evidence
from makar.retrieval.index import Index, Stored
from makar.retrieval.search import Encoder, Hit, any_word, search

FOUND = 30
"""Passages that are looked through for what is right."""

SHOWN = 20
ANY_WORD, WORDS_ALONE = "any word (FTS5)", "without vectors"
NEAREST, EXTRACTED = "nearest sentence", "the documents' own sentences"

Write = Callable[[str, Sequence[Hit], Evidence], Answer]
"""From a question and what was found to an answer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Row:
    """A question with what each way of looking found and each way of answering said."""

    question: LabelledQuestion
    found: dict[str, list[Stored]]
    answers: dict[str, Answer]


def measure_answers(
    index: Index,
    questions: Sequence[LabelledQuestion],
    *,
    encoder: Encoder | None,
    write: Write | None,
    limit: int,
    on_event: OnEvent,
) -> Findings:
    """Ask an index every question and measure what comes back.

    Args:
        index: The index.
        questions: With what is right.
        encoder: Looks by vectors too, and is compared with words alone.
        write: Writes answers, which are compared with the documents' own sentences; ``None`` takes these.
        limit: Passages that an answer is taken from.
        on_event: Called with what is being done.

    Raises:
        DataError: None of the documents that the questions name is in the index, or a name fits several.
    """
    questions, missing = _in_index(index, questions)
    rows = []
    for number, question in enumerate(questions):
        on_event({"event": "evaluation", "measuring": "asking questions", "done": number, "total": len(questions)})
        rows.append(_asked(index, question, encoder=encoder, write=write, limit=limit))
    _add_nearest(rows)
    scores: list[Score] = []
    differences: Differences = {}
    found = {side: [row.found[side] for row in rows] for side in rows[0].found}
    for level in (DOCUMENT, PASSAGE):
        scores += finding_scores(level, questions, found, differences)
    scores += _answered(rows, differences, is_written=write is not None)
    counts = {
        "questions": len(rows),
        "without_answer": sum(not row.question.is_answered for row in rows),
        "with_documents": sum(bool(row.question.documents) for row in rows),
        "with_places": sum(bool(row.question.places) for row in rows),
        "with_answers": sum(bool(row.question.answers) for row in rows),
        "missing_documents": missing,
        "differences": differences,
    }
    return Findings(
        verdict=_sentences(scores, differences, missing),
        scores=tuple(scores),
        tables=(_table(rows),),
        details=counts,
    )


def _in_index(index: Index, questions: Sequence[LabelledQuestion]) -> tuple[list[LabelledQuestion], list[str]]:
    """Return the questions with the names that documents have in the index, and the names that it has not."""
    inside = list(index.known())
    by_end: dict[str, list[str]] = {}
    for name in inside:
        parts = name.split("/")
        for start in range(len(parts)):
            by_end.setdefault("/".join(parts[start:]), []).append(name)
    missing: dict[str, None] = {}

    def whole(name: str) -> str:
        found = [name] if name in by_end.get(name, []) else by_end.get(name, [])
        if len(found) > 1:
            raise DataError(
                f"{len(found)} documents of the index are called {name}", expected=f"a whole name, as {found[0]}"
            )
        if not found:
            missing[name] = None
        return found[0] if found else name

    named = [
        dataclasses.replace(
            one,
            documents={whole(name): grade for name, grade in one.documents.items()},
            places=tuple(
                place if place.document is None else dataclasses.replace(place, document=whole(place.document))
                for place in one.places
            ),
        )
        for one in questions
    ]
    asked_for = {name for one in named for name in one.documents}
    if asked_for and not asked_for & set(inside):
        raise DataError(
            f"none of the {len(asked_for)} documents that the questions name is in the index, first {next(iter(missing))}",
            expected=f"names as {inside[0]}" if inside else "an index with documents",
        )
    return named, list(missing)


def _asked(
    index: Index, question: LabelledQuestion, *, encoder: Encoder | None, write: Write | None, limit: int
) -> _Row:
    hits = search(index, question.question, limit=max(FOUND, limit), encoder=encoder)
    found = {"": [hit.stored for hit in hits], ANY_WORD: any_word(index, question.question, limit=max(FOUND, limit))}
    if encoder is not None:
        found[WORDS_ALONE] = [hit.stored for hit in search(index, question.question, limit=max(FOUND, limit))]
    evidence = Evidence(index, hits[:limit])
    own = extracted(question.question, hits[:limit], evidence)
    answers = {"": own}
    if write is not None:
        # What the documents do not say no model is asked to make up, as in ``ask``.
        answers = {"": write(question.question, hits[:limit], evidence) if own.is_found else own, EXTRACTED: own}
    return _Row(question=question, found=found, answers=answers)


def _add_nearest(rows: Sequence[_Row]) -> None:
    """Add what a sceptic would answer: the rarity of words is counted over all first passages, so it comes last."""
    firsts = [next(iter(row.found[ANY_WORD]), None) for row in rows]
    said = nearest_sentences(
        [(row.question.question, first.passage.text if first else NOT_HERE) for row, first in zip(rows, firsts)]
    )
    for row, first, sentence in zip(rows, firsts, said, strict=True):
        citations: tuple[Citation, ...] = ()
        if first is not None:
            start = first.passage.start + max(0, first.passage.text.find(sentence))
            citations = (
                Citation(
                    number=1,
                    document=first.document,
                    heading=first.passage.heading,
                    page=first.passage.page,
                    start=start,
                    end=start + len(sentence),
                    text=sentence,
                ),
            )
        sentences = (Said(text=sentence, citations=(1,), support=1.0),) if first else ()
        row.answers[NEAREST] = Answer(question=row.question.question, sentences=sentences, citations=citations)


def _answered(rows: Sequence[_Row], differences: Differences, *, is_written: bool) -> list[Score]:
    """Return how good the answers are."""
    sides = {side: [_as_asked(row, row.answers[side]) for row in rows] for side in rows[0].answers}
    measured = {side: citation_scores(asked) for side, asked in sides.items()}
    scores = []
    for key, name, meaning in (
        ("precision", "Citation precision", "Share of the citations that lead to what holds the answer."),
        ("recall", "Citation recall", "Share of the questions of which a citation leads to what holds the answer."),
        (
            "answered",
            "Answered",
            "Share of the questions that the documents answer of which it was not said that they do not.",
        ),
        ("silence", "Silence", "Share of the questions that the documents do not answer of which that was said."),
    ):
        found: dict[str, Interval | None] = {side: getattr(one, key) for side, one in measured.items()}
        own = found.pop("")
        if own is not None:
            beside = tuple((side, interval) for side, interval in found.items() if interval is not None)
            full = f"citation_{key}" if key in ("precision", "recall") else key
            scores.append(Score(key=full, name=name, interval=own, better="higher", meaning=meaning, baselines=beside))
    located = [number for number, row in enumerate(rows) if sides[""][number].is_located]
    hits = {side: citation_hits([asked[number] for number in located]) for side, asked in sides.items()}
    note_differences("citation_recall", hits, differences)
    told = [number for number, row in enumerate(rows) if row.question.is_answered and row.question.answers]
    if told:
        whole = {side: answer_f1([asked[number] for number in told]) for side, asked in sides.items()}
        meaning = "Words in common with the right answer, in the mean over questions; no answer counts 0."
        scores.append(paired_score("answer_f1", "F1 of answers", meaning, whole, differences))
        if not is_written:
            # One sentence against one: more of them hold more of any answer, and more besides.
            firsts = whole | {"": answer_f1([_first_sentence(sides[""][number]) for number in told])}
            scores.append(paired_score("first_sentence_f1", "F1 of the first sentence", meaning, firsts, differences))
    return scores


def _as_asked(row: _Row, answer: Answer) -> Asked:
    question = row.question
    return Asked(
        answer=answer,
        right=question.answers,
        sources=frozenset(question.documents),
        places=question.places,
        is_answered=question.is_answered,
    )


def _first_sentence(asked: Asked) -> Asked:
    return dataclasses.replace(asked, answer=dataclasses.replace(asked.answer, sentences=asked.answer.sentences[:1]))


def _sentences(scores: Sequence[Score], differences: Differences, missing: Sequence[str]) -> tuple[str, ...]:
    lines = []
    for score in scores:
        if score.key.endswith(("recall_at_1", "recall_at_10")):
            continue
        line = f"{score.name}: {_written(score.interval)}"
        for side, interval in score.baselines:
            line += f"; {side}: {interval.value:.3f}"
            if score.key in differences:
                difference = Interval(**differences[score.key][side])
                line += f", difference {_written(difference, sign='+')}, {_decided(difference)}"
        lines.append(line + ".")
    if missing:
        lines.append(
            f"{len(missing)} documents that the questions name are not in the index and count as not found, first {missing[0]}."
        )
    return tuple(lines)


def _written(interval: Interval, *, sign: str = "") -> str:
    return f"{interval.value:{sign}.3f} ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})"


def _decided(difference: Interval) -> str:
    return "better" if difference.low > 0 else "worse" if difference.high < 0 else "not decided"


def _table(rows: Sequence[_Row]) -> Table:
    shown = []
    for row in rows[:SHOWN]:
        asked = _as_asked(row, row.answers[""])
        right = any(map(asked.is_right, asked.answer.citations))
        if not row.question.is_answered:
            where = "right to be silent" if not asked.answer.is_found else "should have been silent"
        elif not asked.is_located:
            where = "–"
        else:
            where = "yes" if right else "no"
        expected = " / ".join(row.question.answers) or "–"
        shown.append(
            (row.question.question, asked.answer.text, expected if row.question.is_answered else NOT_HERE, where)
        )
    return Table(
        key="answers",
        caption="The first questions of the file, what was answered, what is right, and whether a citation leads there.",
        columns=("question", "answered", "right", "cited rightly"),
        rows=tuple(shown),
    )


def counted(values: dict[str, Any]) -> str:
    """Return how many questions there were and of what kinds, in words.

    Args:
        values: The details of findings.
    """
    kinds = {
        "with_documents": "with their documents",
        "with_places": "with their places",
        "with_answers": "with right answers",
        "without_answer": "without an answer",
    }
    parts = [f"{values[key]} {words}" for key, words in kinds.items() if values[key]]
    return f"{values['questions']} questions ({', '.join(parts)})"


def facts_of(index: Index, *, name: str, encoder: str, by: str, measured_on: str, file: Path) -> Facts:
    """Return what a report says of an index beside its figures.

    Args:
        index: The index.
        name: What it is called.
        encoder: Name of what makes its vectors; empty for words alone.
        by: What wrote the answers.
        measured_on: In words.
        file: The questions.
    """
    documents, passages = index.counts()
    return Facts(
        name=name,
        medium="text",
        measured_on=measured_on,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        model=(),
        data=(
            ("documents", f"{documents:,}"),
            ("passages", f"{passages:,}"),
            ("found by", f"words and vectors of {encoder}" if encoder else "words"),
            ("answered by", by),
        ),
        licences=(),
        predictions=(),
        energy="",
        hashes=(("questions (sha256)", hashlib.sha256(file.read_bytes()).hexdigest()),),
        curves=None,
        training={},
        subject="index",
    )
