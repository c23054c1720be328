"""How good answers out of documents are, without a judge: do citations lead to the right places, and does the answer say what is right?

* Citation precision: share of the citations that lead into a document that holds the answer, or to the very place where that is known;
  answers without a citation are left out. Citation recall: whether at least one does, of every question of which it is known where the
  answer stands. Both are those of Gao et al. 2023 (arXiv 2305.14627, section 3) with places that people marked instead of a model that
  judges entailment.
* Answer F1: words in common with the right answer, as SQuAD counts them (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1), the best of
  several right ones; no answer counts 0.
* Silence: share of the questions that the documents do not answer of which that is said.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.labelled_questions import Place
from makar.evaluation.rewriting_scores import answer_scores
from makar.retrieval.answer import Answer, Citation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A question with what is right, and what was answered.

    Attributes:
        answer: What was answered.
        right: Right answers; empty where none is stated.
        sources: Names of the documents that hold one; empty where none does, or where that is not known.
        places: Where in them, where that is known.
        is_answered: Whether the documents answer it; ``None`` takes that from whether there are sources.
    """

    answer: Answer
    right: tuple[str, ...]
    sources: frozenset[str]
    places: tuple[Place, ...] = ()
    is_answered: bool | None = None

    @property
    def has_answer(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.sources) if self.is_answered is None else self.is_answered

    @property
    def is_located(self) -> bool:
        """Whether it is known where the answer stands."""
        return bool(self.sources or self.places)

    def is_right(self, citation: Citation) -> bool:
        """Return whether a citation leads to a place that holds the answer, or into its document where no place is known."""
        if self.places:
            return any(
                place.is_in(citation.document, citation.start, citation.end, citation.text) for place in self.places
            )
        return citation.document in self.sources


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
    held = [one for one in asked if one.has_answer]
    located = [one for one in held if one.is_located]
    # Answers without a citation are left out: how many there are is told by recall.
    precision = [
        np.mean([one.is_right(place) for place in one.answer.citations]) for one in located if one.answer.citations
    ]
    return CitationScores(
        precision=_mean(np.array(precision)),
        recall=_share(citation_hits(located).astype(bool).tolist()),
        f1=_mean(answer_f1([one for one in held if one.right])),
        answered=_share([one.answer.is_found for one in held]),
        silence=_share([not one.answer.is_found for one in asked if not one.has_answer]),
        questions=len(asked),
    )


def citation_hits(asked: Sequence[Asked]) -> np.ndarray:
    """Return for each answer whether a citation leads to what holds the answer, 0 or 1."""
    return np.array([any(map(one.is_right, one.answer.citations)) for one in asked], np.float64)


def answer_f1(asked: Sequence[Asked]) -> np.ndarray:
    """Return F1 of the words of each answer; citations are no words of it."""
    said = [" ".join(sentence.text for sentence in one.answer.sentences) for one in asked]
    if not asked:
        return np.zeros(0)
    _, scores = answer_scores(said, [list(one.right) for one in asked])
    return np.asarray(scores, np.float64)


def _mean(values: np.ndarray) -> Interval | None:
    return mean_interval(values) if len(values) else None


def _share(values: Sequence[bool]) -> Interval | None:
    return share_interval(sum(values), len(values)) if values else None
