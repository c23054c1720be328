"""How an answer is graded: by comparing texts, or by how alike they are in a measure of Makar."""

import difflib
from collections.abc import Mapping
from typing import Any

from makar.evaluation.rewriting_scores import rouge, single_bleu
from makar.serving.eval_fields import filled

LONGEST_COMPARED = 20_000
"""Characters of a text that are compared letter by letter: the work grows with the square."""


def grade(criterion: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the judgement of one grader.

    Args:
        criterion: The grader, as ``criteria_of`` gives it.
        names: The item and the sample.

    Raises:
        ConfigError: A place names nothing.
    """
    text, reference = (filled(criterion[word], names) for word in ("input", "reference"))
    if criterion["type"] == "string_check":
        passed = compares(criterion["operation"], text, reference)
        score = float(passed)
    else:
        score = likeness(criterion["evaluation_metric"], text, reference)
        passed = score >= criterion["pass_threshold"]
    return {"name": criterion["name"], "type": criterion["type"], "score": score, "passed": passed}


def compares(operation: str, text: str, reference: str) -> bool:
    """Return whether a text is as the reference asks.

    >>> compares("ilike", "Paris, France", "paris")
    True
    """
    return {
        "eq": text == reference,
        "ne": text != reference,
        "like": reference in text,
        "ilike": reference.casefold() in text.casefold(),
    }[operation]


def likeness(measure: str, text: str, reference: str) -> float:
    """Return how alike two texts are, 0 to 1.

    Args:
        measure: ``"fuzzy_match"`` (share of letters in matching blocks, Ratcliff and Metzener 1988), ``"bleu"`` (of the one pair, Papineni
            et al. 2002), ``"rouge_1"``, ``"rouge_2"`` or ``"rouge_l"`` (Lin 2004).
        text: The answer.
        reference: What it is compared with.
    """
    if measure == "fuzzy_match":
        pair = text[:LONGEST_COMPARED], reference[:LONGEST_COMPARED]
        return difflib.SequenceMatcher(None, *pair, autojunk=False).ratio()
    if measure == "bleu":
        return single_bleu(text, reference)
    return float(rouge([text], [[reference]])[measure.removeprefix("rouge_").upper()][0])
