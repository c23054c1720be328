"""Measures how well what holds an answer is found: documents in the order of their best passages, and the very passages."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from makar.evaluation.findings import Score
from makar.evaluation.labelled_questions import LabelledQuestion
from makar.evaluation.paired_scores import Differences, paired_score
from makar.evaluation.ranking import gain_of_names, recall_of_names, reciprocal_rank
from makar.retrieval.index import Stored

FIRSTS = (1, 5, 10)
DOCUMENT, PASSAGE = "document", "passage"
MEASURES: dict[str, tuple[str, str, Callable[[Sequence[str], dict[str, float]], float]]] = {
    **{
        f"recall_at_{first}": (
            f"recall@{first}",
            f"Share of what holds an answer that is among the first {first}, in the mean over questions.",
            lambda found, grades, first=first: recall_of_names(found, grades, first=first),  # type: ignore[misc]
        )
        for first in FIRSTS
    },
    "ndcg_at_10": (
        "nDCG@10",
        "The earlier what holds an answer stands, the more it counts; 1 is the best order.",
        gain_of_names,
    ),
    "mrr": ("MRR", "1 / place of the first that holds an answer, in the mean over questions.", reciprocal_rank),
}


def finding_scores(
    level: str,
    questions: Sequence[LabelledQuestion],
    found: Mapping[str, Sequence[Sequence[Stored]]],
    differences: Differences,
) -> list[Score]:
    """Return how well documents or passages are found; nothing where no question says which are right.

    Args:
        level: ``DOCUMENT`` or ``PASSAGE``.
        questions: With what is right.
        found: By way of looking, the one that is measured under the empty name: for each question the passages, the best first.
        differences: Is filled in.
    """
    told = [number for number, one in enumerate(questions) if (one.documents if level == DOCUMENT else one.places)]
    if not told:
        return []
    ranked = {
        side: [_ranked(level, questions[number], every[number]) for number in told] for side, every in found.items()
    }
    scores = []
    for key, (name, meaning, measure) in MEASURES.items():
        values = {side: np.array([measure(*one) for one in every]) for side, every in ranked.items()}
        scores.append(paired_score(f"{level}_{key}", f"{level.capitalize()}s: {name}", meaning, values, differences))
    return scores


def _ranked(level: str, question: LabelledQuestion, found: Sequence[Stored]) -> tuple[list[str], dict[str, float]]:
    """Return names in the order in which they were found, and the grades of what is right."""
    if level == DOCUMENT:
        return list(dict.fromkeys(stored.document for stored in found)), dict(question.documents)
    left, names, grades = dict(enumerate(question.places)), [], dict[str, float]()
    for number, stored in enumerate(found):
        passage = stored.passage
        held = [
            key for key, place in left.items() if place.is_in(stored.document, passage.start, passage.end, passage.text)
        ]
        names.append(f"passage {number}")
        if held:
            # Several places in one passage are found at once, and count once.
            grades[names[-1]] = 1.0
        for key in held:
            del left[key]
    return names, grades | {f"missing {key}": 1.0 for key in left}
