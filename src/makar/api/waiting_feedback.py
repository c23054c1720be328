"""How much feedback waits: what people said since a model last learned from it."""

import dataclasses
from collections.abc import Mapping

from makar.data.feedback.source import FEEDBACK_PREFIX
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.errors import IntegrityError
from makar.training.run_store import FINISHED, stored_runs


def waiting() -> dict[str, int]:
    """Return how many judgements of texts and of images may be learned from and came after the last training on feedback.

    Who learned from one person has not learned from the others.
    """
    learned: dict[str, dict[str, str]] = {"text": {}, "image": {}}
    for run in stored_runs():
        try:
            state = run.state()
        except IntegrityError:
            continue
        source, medium = str(state["options"].get("source")), str(state["options"].get("medium"))
        if source.startswith(FEEDBACK_PREFIX) and state["status"] == FINISHED and medium in learned:
            rater, _, last = source.removeprefix(FEEDBACK_PREFIX).rpartition("@")
            # Ids follow each other in time.
            learned[medium][rater] = max(learned[medium].get(rater, ""), last)
    return {
        # Code is judged as code and learned from as text.
        "text": _waiting("text", learned["text"]) + _waiting("code", learned["text"]),
        "image": _waiting("image", learned["image"]),
    }


def _waiting(medium: str, learned: Mapping[str, str]) -> int:
    """Return how many judgements that may be learned from were not.

    Args:
        medium: Of what was judged.
        learned: The id up to which was learned from each person, and under the empty name from all.
    """
    table, everybody = FeedbackTable(), learned.get("", "")
    after = Wanted(medium=medium, consent=True, after=everybody)
    count = sum(table.counts(after).values())
    for rater, last in learned.items():
        if rater and last > everybody:
            count -= sum(table.counts(dataclasses.replace(after, rater=rater, until=last)).values())
    return count
