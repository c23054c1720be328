"""How good answers out of documents are, without a judge: do citations lead to the right places, and does the answer say what is right?

* Citation precision: share of the citations that lead into a document that holds the answer; answers without a citation are left
  out. Citation recall: whether at least one does, of every question that the documents answer. Both are those of Gao et al. 2023 (arXiv
  2305.14627, section 3) with places that people marked instead of a model that judges entailment.
* Answer F1: words in common with the right answer, as SQuAD counts them (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1), the best of
  several right ones; no answer counts 0.
* Silence: share of the questions that the documents do not answer of which that is said.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from makar.evaluation.bootstrap import Interval, mean_interval
from makar.evaluation.rewriting_scores import answer_scores
from makar.retrieval.answer import Answer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A question with what is right, and what was answered.

    Attributes:
        answer: What was answered.
        right: Right answers.
        sources: Names of the documents that hold one; empty where none does.
    """

    answer: Answer
    right: tuple[str, ...]
    sources: frozenset[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CitationScores:
    """What was measured; ``None`` where there was nothing to measure it on.

    Attributes:
        precision: Of citations.
        recall: Of citations.
        f1: Of answers to questions that the documents answer.
        answered: Share of these questions that got an answer.
        silence: Share of the other questions that got none.
        questions: How many there were.
    """

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    answered: Interval | None
    silence: Interval | None
    questions: int

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)


def citation_scores(asked: Sequence[Asked]) -> CitationScores:
    """Measure answers.

    Args:
        asked: Every question.
    """
    held = [one for one in asked if one.sources]
    shares = [
        np.mean([citation.document in one.sources for citation in one.answer.citations])
        for one in held
        if one.answer.citations
    ]
    reached = [any(citation.document in one.sources for citation in one.answer.citations) for one in held]
    return CitationScores(
        precision=_mean(shares),
        recall=_mean(reached),
        f1=_mean(answer_f1(held)),
        answered=_mean([one.answer.is_found for one in held]),
        silence=_mean([not one.answer.is_found for one in asked if not one.sources]),
        questions=len(asked),
    )


def answer_f1(asked: Sequence[Asked]) -> np.ndarray:
    """Return F1 of the words of each answer; citations are no words of it."""
    said = [" ".join(sentence.text for sentence in one.answer.sentences) for one in asked]
    if not asked:
        return np.zeros(0)
    _, scores = answer_scores(said, [list(one.right) for one in asked])
    return np.asarray(scores, np.float64)


def _mean(values: Sequence[Any] | np.ndarray) -> Interval | None:
    return mean_interval(np.asarray(values, np.float64)) if len(values) else None
